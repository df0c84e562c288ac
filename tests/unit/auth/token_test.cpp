// Tokens of service accounts: what they are good for, and what attackers make of them.
#include <skiff/auth/service_account_token.h>
#include <skiff/codec/base64.h>
#include <skiff/pki/certificate.h>
#include <skiff/pki/token.h>

#include <catch2/catch.hpp>

#include "auth/limits.h"
#include "auth/tokens/verified_tokens.h"
#include "fake_objects.h"
#include "support/sim_loop.h"

using namespace skiff;
using auth::LegacyTokenUse;
using codec::Json;
using test::FakeObjects;

namespace {

const std::string kIssuer = "https://kubernetes.default.svc.cluster.local";

struct TokenFixture {
  test::SimLoop loop;
  std::unique_ptr<base::Random> random = base::seeded_random(3);
  FakeObjects objects;
  base::AgeOf age_of;
  std::string key = *pki::make_private_key();
  std::vector<LegacyTokenUse> uses;
  std::unique_ptr<auth::ServiceAccountTokens> tokens = make(key, {});

  TokenFixture() {
    objects.put("serviceaccounts",
                R"({"metadata":{"name":"robot","namespace":"shop","uid":"account-uid"}})");
    objects.put("pods", R"({"metadata":{"name":"p","namespace":"shop","uid":"pod-uid"}})");
    objects.put("nodes", R"({"metadata":{"name":"n","uid":"node-uid"}})");
    objects.put("secrets", R"({"metadata":{"name":"s","namespace":"shop","uid":"secret-uid"}})");
  }
  std::unique_ptr<auth::ServiceAccountTokens> make(const std::string& signing,
                                                   std::vector<std::string> older,
                                                   const std::string& issuer = kIssuer) {
    auth::TokenOptions options;
    options.keys = {signing, std::move(older)};
    options.issuer = issuer;
    options.clock = &loop.clock();
    options.random = random.get();
    options.reader = &objects;
    options.age_of = age_of;
    options.on_legacy_use = [this](LegacyTokenUse use) { uses.push_back(std::move(use)); };
    auto made = auth::make_service_account_tokens(std::move(options));
    REQUIRE(made.is_ok());
    return std::move(*made);
  }
  static auth::TokenClaims claims(auth::TokenRef bound = {}) {
    auth::TokenClaims result;
    result.namespace_name = "shop";
    result.service_account = "robot";
    result.service_account_uid = "account-uid";
    result.audiences = {kIssuer};
    result.bound = std::move(bound);
    return result;
  }
  std::string issue(auth::TokenClaims wanted) {
    auto issued = tokens->issue(wanted);
    REQUIRE(issued.is_ok());
    return issued->token;
  }
  // The user's name; "-" for a token of another kind; else the reason of the refusal.
  std::string who(const std::string& token, std::vector<std::string> audiences = {kIssuer}) {
    auto result = tokens->authenticate_token(token, audiences);
    if (!result.is_ok()) return std::string(result.status().message());
    return *result ? (*result)->user.name : "-";
  }
};

const std::string kRobot = "system:serviceaccount:shop:robot";

Json payload_of(const std::string& token) {
  auto bytes = codec::base64url_decode(base::split(token, '.')[1]);
  return *codec::parse_json(*bytes);
}

std::string with_header(const std::string& token, std::string_view header) {
  return base::concat(codec::base64url_encode(header), token.substr(token.find('.')));
}

}  // namespace

TEST_CASE("a token says whose it is, what it is bound to and which one it is") {
  TokenFixture f;
  auto wanted = f.claims({"Pod", "p", "pod-uid"});
  wanted.node_name = "n";
  wanted.node_uid = "node-uid";
  wanted.warn_after_seconds = 3607;
  const auto token = f.issue(wanted);
  auto result = f.tokens->authenticate_token(token, {"other", kIssuer});
  REQUIRE((result.is_ok() && *result));
  CHECK((*result)->audiences == std::vector<std::string>{kIssuer});
  const auto& user = (*result)->user;
  CHECK(user.name == kRobot);
  CHECK(user.uid == "account-uid");
  CHECK(user.groups ==
        std::vector<std::string>{"system:serviceaccounts", "system:serviceaccounts:shop"});
  const Json claims = payload_of(token);
  const std::string prefix = "authentication.kubernetes.io/";
  CHECK(user.extra == decltype(user.extra){{prefix + "credential-id",
                                            {base::concat("JTI=", claims["jti"].as_string())}},
                                           {prefix + "node-name", {"n"}},
                                           {prefix + "node-uid", {"node-uid"}},
                                           {prefix + "pod-name", {"p"}},
                                           {prefix + "pod-uid", {"pod-uid"}}});
  const auto now = claims["iat"].as_int();
  CHECK(claims["nbf"].as_int() == now);
  CHECK(claims["exp"].as_int() == now + 3600);
  CHECK(codec::write_json(claims["kubernetes.io"]) ==
        R"({"namespace":"shop","node":{"name":"n","uid":"node-uid"},"pod":{"name":"p",)"
        R"("uid":"pod-uid"},"serviceaccount":{"name":"robot","uid":"account-uid"},"warnafter":)" +
            std::to_string(now + 3607) + "}");
}

TEST_CASE("a token is good from a minute before its time to a minute after it") {
  TokenFixture f;
  const auto token = f.issue(f.claims());
  CHECK(f.who(token) == kRobot);
  f.loop.advance(std::chrono::seconds(3660));
  CHECK(f.who(token) == kRobot);
  f.loop.advance(std::chrono::seconds(1));
  CHECK(f.who(token) == "service account token has expired");
  f.loop.jump_wall_clock(-std::chrono::seconds(3661 + 61));
  CHECK(f.who(token) == "service account token is not valid yet");
  f.loop.jump_wall_clock(std::chrono::seconds(1));
  CHECK(f.who(token) == kRobot);
}

TEST_CASE("a clock that jumps ends no token and lengthens none") {
  const auto jump = GENERATE(base::Duration(std::chrono::hours(24 * 3650)),
                             base::Duration(std::chrono::hours(-24 * 365 * 50)));
  TokenFixture f;
  base::AgeMeter meter(f.loop.clock());
  f.age_of = [&](base::WallTime time) { return meter.age_of(time); };
  f.tokens = f.make(f.key, {});
  const auto before = f.issue(f.claims());
  f.loop.advance(std::chrono::minutes(10));
  CHECK(f.who(before) == kRobot);
  f.loop.jump_wall_clock(jump);
  CHECK(f.who(before) == kRobot);
  const auto after = f.issue(f.claims());
  CHECK(f.who(after) == kRobot);
  f.loop.advance(std::chrono::minutes(50));
  CHECK(f.who(before) == kRobot);
  f.loop.advance(std::chrono::seconds(61));
  CHECK(f.who(before) == "service account token has expired");
  CHECK(f.who(after) == kRobot);
  f.loop.advance(std::chrono::minutes(11));
  CHECK(f.who(after) == "service account token has expired");
}

TEST_CASE("a token dies with its account and with what it is bound to") {
  TokenFixture f;
  const std::string gone = "service account token has been invalidated";
  SECTION("the account goes, and another one takes its name") {
    const auto token = f.issue(f.claims());
    REQUIRE(f.who(token) == kRobot);
    f.objects.remove("serviceaccounts", "shop", "robot");
    CHECK(f.who(token) == "serviceaccounts \"robot\" not found");
    f.objects.put("serviceaccounts",
                  R"({"metadata":{"name":"robot","namespace":"shop","uid":"second"}})");
    CHECK(f.who(token) == "service account UID (second) does not match claim (account-uid)");
  }
  SECTION("a pod is gone, and comes back as another one") {
    const auto token = f.issue(f.claims({"Pod", "p", "pod-uid"}));
    REQUIRE(f.who(token) == kRobot);
    f.objects.remove("pods", "shop", "p");
    CHECK(f.who(token) == gone);
    f.objects.put("pods", R"({"metadata":{"name":"p","namespace":"shop","uid":"second"}})");
    CHECK(f.who(token) ==
          "pod UID (second) does not match service account pod ref claim (pod-uid)");
  }
  SECTION("a pod that ends vouches for its token until a minute after its grace") {
    const auto token = f.issue(f.claims({"Pod", "p", "pod-uid"}));
    f.objects.put("pods", R"({"metadata":{"name":"p","namespace":"shop","uid":"pod-uid",
        "deletionTimestamp":")" +
                              base::format_rfc3339(f.loop.now()) + "\"}}");
    f.loop.advance(std::chrono::seconds(60));
    CHECK(f.who(token) == kRobot);
    f.loop.advance(std::chrono::seconds(2));
    CHECK(f.who(token) == gone);
  }
  SECTION("a secret and a node") {
    const auto by_secret = f.issue(f.claims({"Secret", "s", "secret-uid"}));
    const auto by_node = f.issue(f.claims({"Node", "n", "node-uid"}));
    REQUIRE(f.who(by_secret) == kRobot);
    REQUIRE(f.who(by_node) == kRobot);
    f.objects.remove("secrets", "shop", "s");
    CHECK(f.who(by_secret) == gone);
    f.objects.put("nodes", R"({"metadata":{"name":"n","uid":"second"}})");
    CHECK(f.who(by_node) ==
          "node UID (second) does not match service account node ref claim (node-uid)");
    f.objects.remove("nodes", "", "n");
    CHECK(f.who(by_node) == gone);
  }
  SECTION("the node beside a pod is there for information") {
    auto wanted = f.claims({"Pod", "p", "pod-uid"});
    wanted.node_name = "elsewhere";
    CHECK(f.who(f.issue(wanted)) == kRobot);
  }
}

TEST_CASE("a token for another audience opens nothing here") {
  TokenFixture f;
  auto wanted = f.claims();
  wanted.audiences = {"vault", "billing"};
  const auto token = f.issue(wanted);
  CHECK(f.who(token) ==
        "token audiences [\"vault\" \"billing\"] is invalid for the target "
        "audiences [\"" +
            kIssuer + "\"]");
  auto result = f.tokens->authenticate_token(token, {"billing", "x"});
  REQUIRE((result.is_ok() && *result));
  CHECK((*result)->audiences == std::vector<std::string>{"billing"});
}

TEST_CASE("forged tokens are refused") {
  TokenFixture f;
  const auto token = f.issue(f.claims());
  const std::string no_key = "invalid signature, no keys found";
  const std::string wrong = "go-jose/go-jose: error in cryptographic primitive";
  auto signer = pki::make_token_signer(f.key);
  const auto header = codec::base64url_decode(base::split(token, '.')[0]);
  REQUIRE((signer.is_ok() && header.is_ok()));

  SECTION("by algorithm") {
    const auto dot = token.rfind('.');
    for (std::string_view none : {R"({"alg":"none"})", R"({"alg":"None","typ":"JWT"})"}) {
      CHECK(f.who(with_header(token, none)) == no_key);
      CHECK(f.who(with_header(token.substr(0, dot + 1), none)) == no_key);
    }
    // The public key, which everybody has, as the secret of an HMAC.
    const auto hmac = base::concat(R"({"alg":"HS256","kid":")", (*signer)->key_id(), R"("})");
    CHECK(f.who(with_header(token, hmac)) == no_key);
    CHECK(f.who(token.substr(0, dot + 1)) == wrong);
    CHECK(f.who(token.substr(0, dot + 1) + codec::base64url_encode(std::string(64, '\0'))) ==
          wrong);
  }
  SECTION("by another key, also under the name of ours") {
    const auto other = *pki::make_private_key();
    auto forger = pki::make_token_signer(other);
    auto forged = (*forger)->sign(codec::write_json(payload_of(token)));
    REQUIRE(forged.is_ok());
    CHECK(f.who(*forged) == no_key);
    CHECK(f.who(with_header(*forged, *header)) == wrong);
  }
  SECTION("with other claims") {
    auto claims = payload_of(token);
    claims["kubernetes.io"]["serviceaccount"].set("name", "admin");
    auto parts = base::split(token, '.');
    CHECK(f.who(base::concat(parts[0], ".", codec::base64url_encode(codec::write_json(claims)), ".",
                             parts[2])) == wrong);
    claims.set("iss", "https://elsewhere");
    CHECK(f.who(*(*signer)->sign(codec::write_json(claims))) == "-");
  }
  SECTION("of a foreign issuer with the same key") {
    auto foreign = f.make(f.key, {}, "https://other.cluster");
    CHECK(f.who(foreign->issue(f.claims())->token) == "-");
  }
  SECTION("truncated, extended, huge or no token at all") {
    for (std::size_t size = 0; size < token.size(); ++size) {
      CHECK(f.who(token.substr(0, size)) != kRobot);
    }
    CHECK(f.who(token + ".") == "-");
    CHECK(f.who(token + "A") == wrong);
    CHECK(f.who(std::string(auth::kTokenBytesMax + 1, 'a')) == "-");
    CHECK(f.who("..") == "-");
    CHECK(f.who(std::string("a.\0.b", 5)) == "-");
  }
  SECTION("signed by us, but claims that make no sense") {
    for (std::string_view claims :
         {R"({"iss":"ISS","exp":"soon"})", R"({"iss":"ISS","kubernetes.io":{"serviceaccount":7}})",
          R"({"iss":"ISS","exp":1e300})", R"({"iss":"ISS","aud":{"a":1}})",
          R"({"iss":"ISS","aud":[1]})", R"({"iss":"ISS","kubernetes.io":{"pod":"p"}})"}) {
      std::string text(claims);
      text.replace(text.find("ISS"), 3, kIssuer);
      CHECK(f.who(*(*signer)->sign(text)) == "service account token claims could not be validated");
    }
    CHECK(f.who(*(*signer)->sign(R"({"iss":")" + kIssuer +
                                 R"(","kubernetes.io":{"serviceaccount":{}}})")) ==
          "service account token has expired");
  }
}

TEST_CASE("tokens of an older key are good while it is kept") {
  TokenFixture f;
  const auto old_token = f.issue(f.claims());
  const auto fresh = *pki::make_private_key();
  REQUIRE(f.who(old_token) == kRobot);
  REQUIRE(f.tokens->replace_keys({fresh, {*pki::public_key_of(f.key)}}).is_ok());
  const auto new_token = f.issue(f.claims());
  CHECK(f.who(old_token) == kRobot);
  CHECK(f.who(new_token) == kRobot);
  auto keys = codec::parse_json(f.tokens->key_set());
  REQUIRE(keys.is_ok());
  const Json key_set = *keys;
  REQUIRE(key_set["keys"].size() == 2);
  const Json& first = key_set["keys"].items()[0];
  CHECK(first["kid"].as_string() == (*pki::make_token_signer(fresh))->key_id());
  CHECK(first["kty"].as_string() == "EC");
  CHECK(first["crv"].as_string() == "P-256");
  CHECK(codec::base64url_decode(first["x"].as_string())->size() == 32);
  CHECK(codec::base64url_decode(first["y"].as_string())->size() == 32);

  CHECK_FALSE(f.tokens->replace_keys({"no key", {}}).is_ok());
  CHECK(f.who(old_token) == kRobot);
  // Also a token that was verified before.
  REQUIRE(f.tokens->replace_keys({fresh, {}}).is_ok());
  CHECK(f.who(old_token) == "invalid signature, no keys found");
  CHECK(f.who(new_token) == kRobot);
  CHECK_FALSE(f.tokens->replace_keys({fresh, std::vector<std::string>(auth::kTokenKeysMax, fresh)})
                  .is_ok());
}

TEST_CASE("the token of a Secret is good as long as that Secret holds it") {
  TokenFixture f;
  auto issued = f.tokens->issue_legacy({"shop", "s", "robot", "account-uid"});
  REQUIRE(issued.is_ok());
  const auto token = *issued;
  auto put = [&](const std::string& data, const std::string& labels) {
    f.objects.put("secrets", R"({"metadata":{"name":"s","namespace":"shop","uid":"secret-uid",)"
                             R"("labels":{)" +
                                 labels + R"(}},"data":{"token":")" + codec::base64_encode(data) +
                                 "\"}}");
  };
  CHECK(f.who(token) == "Token does not match server's copy");
  put(token, "");
  CHECK(f.who(token) == kRobot);
  REQUIRE(f.uses.size() == 1);
  CHECK(f.uses[0].secret == "s");
  CHECK(f.uses[0].secret_uid == "secret-uid");
  const auto today = base::format_rfc3339(f.loop.now()).substr(0, 10);
  CHECK(f.uses[0].day == today);
  put(token, "\"kubernetes.io/legacy-token-last-used\":\"" + today + "\"");
  CHECK(f.who(token) == kRobot);
  CHECK(f.uses.size() == 1);
  f.loop.advance(std::chrono::hours(48));
  CHECK(f.who(token) == kRobot);
  CHECK(f.uses.size() == 2);
  CHECK(f.who(token, {"vault"}).find("token audiences [\"https://kub") == 0);

  SECTION("an account that names it warns its user") {
    f.objects.put("serviceaccounts", R"({"metadata":{"name":"robot","namespace":"shop",
        "uid":"account-uid"},"secrets":[{"name":"s"}]})");
    auto result = f.tokens->authenticate_token(token, {kIssuer});
    REQUIRE((result.is_ok() && *result));
    CHECK((*result)->warnings.size() == 1);
  }
  SECTION("it is marked as invalid") {
    put(token, R"("kubernetes.io/legacy-token-invalid-since":"2026-01-01")");
    CHECK(f.who(token).find("the token in secret shop/s for service account shop/robot has been "
                            "marked invalid.") == 0);
  }
  SECTION("the Secret or the account goes") {
    f.objects.put("serviceaccounts",
                  R"({"metadata":{"name":"robot","namespace":"shop","uid":"second"}})");
    CHECK(f.who(token) == "ServiceAccount UID (second) does not match claim (account-uid)");
    f.objects.remove("secrets", "shop", "s");
    CHECK(f.who(token) == "Token has been invalidated");
  }
  SECTION("another Secret's token in it") {
    auto other = f.tokens->issue_legacy({"shop", "t", "robot", "account-uid"});
    put(*other, "");
    CHECK(f.who(token) == "Token does not match server's copy");
    CHECK(f.who(*other) == "Token has been invalidated");
  }
}

TEST_CASE("only so many verified tokens are kept, the latest used ones") {
  auth::VerifiedTokens kept;
  auto content = std::make_shared<const auth::TokenContent>();
  for (std::size_t i = 0; i < auth::kVerifiedTokensMax; ++i) kept.add(std::to_string(i), content);
  CHECK(kept.find("0") != nullptr);
  kept.add("new", content);
  CHECK(kept.size() == auth::kVerifiedTokensMax);
  CHECK(kept.find("0") != nullptr);
  CHECK(kept.find("1") == nullptr);
  kept.erase("0");
  CHECK(kept.find("0") == nullptr);
}
