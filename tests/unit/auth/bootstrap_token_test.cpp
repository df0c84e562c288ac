#include <skiff/api/bootstrap_token.h>
#include <skiff/auth/bootstrap_token.h>
#include <skiff/codec/base64.h>

#include <catch2/catch.hpp>

#include "fake_objects.h"
#include "support/sim_loop.h"

using namespace skiff;
using codec::Json;

namespace {

struct BootstrapFixture {
  test::SimLoop loop;
  test::FakeObjects objects;
  base::AgeMeter ages{loop.clock()};
  std::string made;  // creationTimestamp
  std::unique_ptr<auth::TokenAuthenticator> tokens =
      auth::make_bootstrap_tokens(objects, loop.clock(), ages.reader(), {"api"});
  std::map<std::string, std::string> data = {{"token-id", "abc123"},
                                             {"token-secret", "0123456789abcdef"},
                                             {"usage-bootstrap-authentication", "true"}};
  std::string type = "bootstrap.kubernetes.io/token";

  void put(std::string_view name = "bootstrap-token-abc123") {
    Json secret = Json::object({{"type", type}});
    secret["metadata"].set("name", name);
    secret["metadata"].set("namespace", "kube-system");
    secret["metadata"].set("uid", "u");
    if (!made.empty()) secret["metadata"].set("creationTimestamp", made);
    for (const auto& [key, value] : data) secret["data"].set(key, codec::base64_encode(value));
    objects.put("secrets", codec::write_json(secret));
  }
  // "name: groups", empty for nobody.
  std::string who(std::string_view token = "abc123.0123456789abcdef",
                  const std::vector<std::string>& audiences = {"api"}) {
    auto result = tokens->authenticate_token(token, audiences);
    if (!result.is_ok() || !*result) return {};
    return (*result)->user.name + ": " + base::join((*result)->user.groups, ",");
  }
};

const std::string kUser = "system:bootstrap:abc123: system:bootstrappers";

}  // namespace

TEST_CASE("a bootstrap token is the user of its id") {
  BootstrapFixture f;
  CHECK(f.who().empty());
  f.put();
  CHECK(f.who() == kUser);
  CHECK(f.who("abc123.0123456789abcdef", {"other"}).empty());
  f.data["auth-extra-groups"] = "system:bootstrappers:worker,system:bootstrappers:a:b-1";
  f.put();
  CHECK(f.who() == kUser + ",system:bootstrappers:a:b-1,system:bootstrappers:worker");
}

TEST_CASE("a bootstrap token that is wrong in anything is nobody") {
  BootstrapFixture f;
  f.put();
  REQUIRE(f.who() == kUser);
  for (std::string_view token :
       {"abc123.0123456789abcdeg", "abc124.0123456789abcdef", "abc123.0123456789ABCDEF",
        "abc123-0123456789abcdef", "abc123.0123456789abcde", "abc123.0123456789abcdeff", ".", "",
        "../abc.0123456789abcdef", "abc123.0123456789abcdef\n"}) {
    CHECK(f.who(token).empty());
  }
  const auto good = f.data;
  auto check = [&](const std::string& key, const std::string& value) {
    f.data = good;
    f.data[key] = value;
    f.put();
    INFO(key << "=" << value);
    CHECK(f.who().empty());
  };
  check("token-id", "abc124");
  check("token-secret", "");
  check("usage-bootstrap-authentication", "True");
  check("auth-extra-groups", "system:masters");
  check("auth-extra-groups", "system:bootstrappers");
  check("auth-extra-groups", "system:bootstrappers:x,");
  check("auth-extra-groups", "system:bootstrappers:x-");
  check("expiration", "tomorrow");
  check("expiration", base::format_rfc3339(f.loop.now()));
  f.data = good;
  f.type = "Opaque";
  f.put();
  CHECK(f.who().empty());
}

TEST_CASE("a clock that jumps ends no bootstrap token and lengthens none") {
  BootstrapFixture f;
  f.made = base::format_rfc3339(f.loop.now());
  f.data["expiration"] = base::format_rfc3339(f.loop.now() + std::chrono::hours(2));
  f.put();
  const auto jump = GENERATE(std::chrono::hours(24 * 3650), -std::chrono::hours(24 * 3650));
  f.loop.jump_wall_clock(jump);
  CHECK(f.who() == kUser);
  f.loop.advance(std::chrono::minutes(119));
  CHECK(f.who() == kUser);
  f.loop.advance(std::chrono::minutes(1));
  CHECK(f.who().empty());
}

TEST_CASE("a bootstrap token ends at its time") {
  BootstrapFixture f;
  f.data["expiration"] = base::format_rfc3339(f.loop.now() + std::chrono::seconds(60));
  f.put();
  CHECK(f.who() == kUser);
  f.loop.advance(std::chrono::seconds(60));
  CHECK(f.who().empty());
}
