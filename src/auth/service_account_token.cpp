#include <skiff/auth/service_account_token.h>
#include <skiff/base/strings.h>
#include <skiff/codec/json.h>
#include <skiff/pki/token.h>

#include <algorithm>

#include "auth/limits.h"

namespace skiff::auth {

using codec::Json;

namespace {

base::Status refuse(std::string message) {
  return base::Status(base::Code::unauthenticated, std::move(message));
}

std::string_view bound_member(std::string_view kind) {
  if (kind == "Pod") return "pod";
  if (kind == "Secret") return "secret";
  return "node";
}

Json reference(std::string_view name, std::string_view uid) {
  Json object = Json::object({{"name", name}});
  if (!uid.empty()) object.set("uid", uid);
  return object;
}

std::vector<std::string> strings_of(const Json& value) {
  std::vector<std::string> result;
  if (value.is_string()) result.emplace_back(value.as_string());
  for (const auto& item : value.items()) result.emplace_back(item.as_string());
  return result;
}

// Thread-safe: immutable but for its random source.
class Tokens final : public ServiceAccountTokens {
 public:
  Tokens(TokenOptions options, std::unique_ptr<pki::TokenSigner> signer,
         std::unique_ptr<pki::TokenVerifier> verifier)
      : options_(std::move(options)), signer_(std::move(signer)), verifier_(std::move(verifier)) {}

  base::Result<IssuedToken> issue(const TokenClaims& claims) const override {
    const auto now = options_.clock->now();
    const auto lifetime =
        std::clamp(claims.expiration_seconds, kTokenLifetimeSecondsMin, kTokenLifetimeSecondsMax);
    IssuedToken issued;
    issued.expires = base::WallTime::from_unix_seconds(now.unix_seconds() + lifetime);
    Json kubernetes = Json::object({{"namespace", claims.namespace_name}});
    if (!claims.bound.kind.empty()) {
      kubernetes.set(bound_member(claims.bound.kind),
                     reference(claims.bound.name, claims.bound.uid));
    }
    if (!claims.node_name.empty() && claims.bound.kind != "Node") {
      kubernetes.set("node", reference(claims.node_name, claims.node_uid));
    }
    kubernetes.set("serviceaccount", reference(claims.service_account, claims.service_account_uid));
    Json audiences = Json::array();
    for (const auto& audience : claims.audiences) audiences.push_back(audience);
    Json payload =
        Json::object({{"aud", std::move(audiences)},
                      {"exp", issued.expires.unix_seconds()},
                      {"iat", now.unix_seconds()},
                      {"iss", options_.issuer},
                      {"jti", base::make_uuid(*options_.random)},
                      {"kubernetes.io", std::move(kubernetes)},
                      {"nbf", now.unix_seconds()},
                      {"sub", base::concat("system:serviceaccount:", claims.namespace_name, ":",
                                           claims.service_account)}});
    SKIFF_ASSIGN_OR_RETURN(issued.token, signer_->sign(codec::write_json(payload)));
    return issued;
  }

  base::Result<User> verify(std::string_view token,
                            const std::vector<std::string>& audiences) const override {
    if (token.size() > kTokenBytesMax) return refuse("the token is too long");
    auto text = verifier_->verify(token);
    if (!text.is_ok()) return refuse(std::string(text.status().message()));
    auto parsed = codec::parse_json(*text);
    if (!parsed.is_ok() || !parsed->is_object()) return refuse("the claims are no object");
    const Json claims = std::move(*parsed);
    if (claims["iss"].as_string() != options_.issuer) return refuse("another issuer");
    const auto now = options_.clock->now().unix_seconds();
    if (claims["exp"].as_int() <= now) return refuse("the token has expired");
    if (claims["nbf"].as_int() > now + kClockSkewSeconds) return refuse("not yet valid");
    const auto own = strings_of(claims["aud"]);
    const bool meant = std::any_of(own.begin(), own.end(), [&](const std::string& audience) {
      return std::find(audiences.begin(), audiences.end(), audience) != audiences.end();
    });
    if (!meant) return refuse("the token is for another audience");
    SKIFF_RETURN_IF_ERROR(check_live(claims["kubernetes.io"]));
    return user_of(claims);
  }

  std::string_view issuer() const override { return options_.issuer; }

 private:
  // The account and what the token is bound to must be there, and the same ones.
  base::Status check_live(const Json& kubernetes) const {
    auto namespace_name = kubernetes["namespace"].as_string();
    SKIFF_RETURN_IF_ERROR(check_object("serviceaccounts", namespace_name,
                                       kubernetes["serviceaccount"], "service account"));
    if (const Json* pod = kubernetes.find("pod")) {
      return check_object("pods", namespace_name, *pod, "pod");
    }
    if (const Json* secret = kubernetes.find("secret")) {
      return check_object("secrets", namespace_name, *secret, "secret");
    }
    if (const Json* node = kubernetes.find("node")) return check_object("nodes", {}, *node, "node");
    return {};
  }

  base::Status check_object(std::string_view resource, std::string_view namespace_name,
                            const Json& wanted, std::string_view what) const {
    auto found = options_.reader->get("", resource, namespace_name, wanted["name"].as_string());
    if (found.empty()) return refuse(base::concat("the ", what, " is gone"));
    auto text = found.text();
    if (api::scan_string(text, {"metadata", "uid"}).value_or("") != wanted["uid"].as_string()) {
      return refuse(base::concat("the ", what, " is another one"));
    }
    auto deleted = api::scan_string(text, {"metadata", "deletionTimestamp"});
    if (!deleted) return {};
    // deletionTimestamp is when its grace ends; a terminating pod still works until a bit later.
    auto end = base::parse_rfc3339(*deleted);
    if (!end.is_ok()) return refuse("a deletionTimestamp that is no time");
    if (options_.clock->now() > *end + std::chrono::seconds(kDeletedPodLeewaySeconds)) {
      return refuse(base::concat("the ", what, " has been deleted"));
    }
    return {};
  }

  static User user_of(const Json& claims) {
    const Json& kubernetes = claims["kubernetes.io"];
    auto namespace_name = kubernetes["namespace"].as_string();
    User user;
    user.name = base::concat("system:serviceaccount:", namespace_name, ":",
                             kubernetes["serviceaccount"]["name"].as_string());
    user.uid = kubernetes["serviceaccount"]["uid"].as_string();
    user.groups = {"system:serviceaccounts",
                   base::concat("system:serviceaccounts:", namespace_name),
                   std::string(kAuthenticatedGroup)};
    auto add = [&](std::string_view key, std::string_view value) {
      if (!value.empty()) user.extra.push_back({std::string(key), {std::string(value)}});
    };
    add("authentication.kubernetes.io/credential-id",
        base::concat("JTI=", claims["jti"].as_string()));
    add("authentication.kubernetes.io/node-name", kubernetes["node"]["name"].as_string());
    add("authentication.kubernetes.io/node-uid", kubernetes["node"]["uid"].as_string());
    add("authentication.kubernetes.io/pod-name", kubernetes["pod"]["name"].as_string());
    add("authentication.kubernetes.io/pod-uid", kubernetes["pod"]["uid"].as_string());
    return user;
  }

  const TokenOptions options_;
  const std::unique_ptr<pki::TokenSigner> signer_;
  const std::unique_ptr<pki::TokenVerifier> verifier_;
};

}  // namespace

base::Result<std::unique_ptr<ServiceAccountTokens>> make_service_account_tokens(
    TokenOptions options) {
  SKIFF_ASSERT(options.clock != nullptr && options.random != nullptr);
  SKIFF_ASSERT(options.reader != nullptr);
  SKIFF_ASSIGN_OR_RETURN(auto signer, pki::make_token_signer(options.key_pem));
  SKIFF_ASSIGN_OR_RETURN(auto verifier, pki::make_token_verifier(options.key_pem));
  return std::unique_ptr<ServiceAccountTokens>(
      std::make_unique<Tokens>(std::move(options), std::move(signer), std::move(verifier)));
}

}  // namespace skiff::auth
