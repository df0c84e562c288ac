// Secrets with tokens: of accounts, and for bootstrapping.
#include <skiff/codec/base64.h>

#include "cluster_fixture.h"

using namespace skiff;
using namespace skiff::test;

namespace {

Json secret(std::string_view namespace_name, std::string_view name, std::string_view type) {
  Json object = Json::object({{"apiVersion", "v1"}, {"kind", "Secret"}, {"type", type}});
  object["metadata"].set("name", name);
  object["metadata"].set("namespace", namespace_name);
  return object;
}

Json token_secret(std::string_view name, std::string_view account) {
  Json object = secret("default", name, "kubernetes.io/service-account-token");
  object["metadata"]["annotations"].set("kubernetes.io/service-account.name", account);
  return object;
}

Json account(std::string_view name) {
  Json object = Json::object({{"apiVersion", "v1"}, {"kind", "ServiceAccount"}});
  object["metadata"].set("name", name);
  object["metadata"].set("namespace", "default");
  return object;
}

std::string value(const Json& object, std::string_view key) {
  return codec::base64_decode(object["data"][key].as_string()).value_or("?");
}

Json bootstrap_secret(std::string_view name, const std::string& expiration) {
  Json object = secret("kube-system", name, "bootstrap.kubernetes.io/token");
  object["data"].set("expiration", codec::base64_encode(expiration));
  return object;
}

}  // namespace

TEST_CASE("a Secret that asks for the token of an account gets it") {
  ControllerFixture f;
  f.api.put(resources::service_accounts, account("robot"));
  f.api.put(resources::secrets, token_secret("t", "robot"));
  f.api.put(resources::secrets, secret("default", "plain", "Opaque"));
  f.settle();
  const Json filled = f.live(resources::secrets, "default/t");
  const std::string uid(api::uid_of(f.live(resources::service_accounts, "default/robot")));
  CHECK(value(filled, "token") == "default/t for robot " + uid);
  CHECK(value(filled, "namespace") == "default");
  CHECK(value(filled, "ca.crt") == f.trust->bundle_pem());
  CHECK(api::annotation(filled, "kubernetes.io/service-account.uid") == uid);
  CHECK(f.live(resources::secrets, "default/plain")["data"].is_null());

  SECTION("what is taken out of it comes back, what is there stays") {
    f.change(resources::secrets, "default/t", [](Json& object) {
      object["data"].set("token", codec::base64_encode("mine"));
      object["data"].erase("ca.crt");
    });
    f.settle();
    const Json again = f.live(resources::secrets, "default/t");
    CHECK(value(again, "token") == "mine");
    CHECK(value(again, "ca.crt") == f.trust->bundle_pem());
    const auto writes = f.api.writes;
    f.settle();
    CHECK(f.api.writes == writes);
  }
  SECTION("its authorities follow the trust of the cluster") {
    const std::string before = f.trust->bundle_pem();
    const auto other = make_trust(f.loop.now());
    f.trust->replace(other->signer(), other->bundle_pem() + before);
    f.settle(20s);
    const Json rolled = f.live(resources::secrets, "default/t");
    CHECK(value(rolled, "ca.crt") == other->bundle_pem() + before);
    CHECK(value(rolled, "token") == value(filled, "token"));
    f.trust->replace(other->signer(), other->bundle_pem());
    f.settle(20s);
    CHECK(value(f.live(resources::secrets, "default/t"), "ca.crt") == other->bundle_pem());
    const auto writes = f.api.writes;
    f.settle(60s);
    CHECK(f.api.writes == writes);
  }
  SECTION("it goes with its account, others stay") {
    f.api.put(resources::service_accounts, account("other"));
    f.api.put(resources::secrets, token_secret("u", "other"));
    f.settle();
    f.remove(resources::service_accounts, "default", "robot");
    f.settle();
    CHECK(f.live(resources::secrets, "default/t").is_null());
    CHECK_FALSE(f.live(resources::secrets, "default/u").is_null());
    CHECK_FALSE(f.live(resources::secrets, "default/plain").is_null());
  }
  SECTION("an account of the same name is another one") {
    f.api.erase(resources::service_accounts, "default/robot");
    f.api.put(resources::service_accounts, account("robot"));
    f.settle();
    CHECK(f.live(resources::secrets, "default/t").is_null());
  }
  SECTION("an account forgets a Secret that is gone") {
    f.change(resources::service_accounts, "default/robot", [](Json& object) {
      for (const char* name : {"t", "plain"})
        object["secrets"].push_back(Json::object({{"name", name}}));
    });
    f.settle();
    f.remove(resources::secrets, "default", "t");
    f.settle();
    CHECK(codec::write_json(f.live(resources::service_accounts, "default/robot")["secrets"]) ==
          R"([{"name":"plain"}])");
  }
}

TEST_CASE("a Secret for an account that is not there is deleted") {
  ControllerFixture f;
  f.api.put(resources::secrets, token_secret("t", "nobody"));
  f.settle();
  CHECK(f.live(resources::secrets, "default/t").is_null());
}

TEST_CASE("bootstrap tokens are deleted when their time is over") {
  ControllerFixture f;
  auto at = [&](base::Duration after) { return base::format_rfc3339(f.loop.now() + after); };
  f.api.put(resources::secrets, bootstrap_secret("soon", at(1h)));
  f.api.put(resources::secrets, bootstrap_secret("over", at(-1s)));
  f.api.put(resources::secrets, bootstrap_secret("unreadable", "tomorrow"));
  f.api.put(resources::secrets, bootstrap_secret("forever", ""));
  Json other = bootstrap_secret("elsewhere", at(-1s));
  other["metadata"].set("namespace", "default");
  f.api.put(resources::secrets, other);
  f.settle();
  auto there = [&](const std::string& key) { return f.live(resources::secrets, key).is_object(); };
  CHECK(there("kube-system/soon"));
  CHECK_FALSE(there("kube-system/over"));
  CHECK_FALSE(there("kube-system/unreadable"));
  CHECK(there("kube-system/forever"));
  CHECK(there("default/elsewhere"));
  f.loop.advance(59min);
  CHECK(there("kube-system/soon"));
  f.loop.advance(1min);
  f.settle();
  CHECK_FALSE(there("kube-system/soon"));
  CHECK(there("kube-system/forever"));
}

TEST_CASE("a clock that is ahead for a while deletes no bootstrap token") {
  ControllerFixture f;
  Json secret = bootstrap_secret("soon", base::format_rfc3339(f.loop.now() + 2h));
  secret["metadata"].set("creationTimestamp", base::format_rfc3339(f.loop.now()));
  f.api.put(resources::secrets, std::move(secret));
  f.settle();
  auto is_there = [&] { return f.live(resources::secrets, "kube-system/soon").is_object(); };
  f.loop.jump_wall_clock(24h * 3650);
  f.change(resources::secrets, "kube-system/soon",
           [](Json& object) { object["metadata"]["labels"].set("a", "b"); });
  f.settle();
  CHECK(is_there());
  f.loop.jump_wall_clock(-24h * 3650);
  f.loop.advance(1h);
  CHECK(is_there());
  f.loop.advance(61min);
  f.settle();
  CHECK_FALSE(is_there());
}
