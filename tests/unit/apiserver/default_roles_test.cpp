#include <skiff/codec/yaml.h>

#include <catch2/catch.hpp>

#include <fstream>
#include <iterator>
#include <map>

#include "apiserver/roles/default_roles.h"
#include "apiserver/roles/plan_reconcile.h"
#include "fixture.h"

using namespace skiff;
using apiserver::Reconciled;
using codec::Json;
using test::ApiFixture;

namespace {

std::map<std::string, Json> default_objects() {
  std::map<std::string, Json> objects;
  apiserver::visit_default_roles(
      apiserver::default_roles_text(), [&](apiserver::DefaultObject made) {
        const Json& object = made.object;
        std::string key = std::string(object["kind"].as_string()) + " " + api::object_key(object);
        objects[key] = std::move(made.object);
      });
  return objects;
}

Json parsed(const char* text) {
  auto json = codec::parse_json(text);
  REQUIRE(json.is_ok());
  return *json;
}

}  // namespace

TEST_CASE("the default roles and bindings are upstream's") {
  auto ours = default_objects();
  CHECK(ours.size() == 135);
  std::size_t compared = 0;
  for (const char* name :
       {"cluster-roles", "cluster-role-bindings", "controller-roles", "controller-role-bindings",
        "namespace-roles", "namespace-role-bindings"}) {
    std::ifstream in(std::string("../shared/oracle/rbac/") + name + ".yaml");
    if (!in) {
      WARN("skipped: no oracle rbac/" << name << ".yaml");
      continue;
    }
    auto list = codec::parse_yaml(std::string(std::istreambuf_iterator<char>(in), {}));
    REQUIRE(list.is_ok());
    for (Json object : (*list)["items"].items()) {
      if (std::as_const(object)["rules"].is_null()) object.erase("rules");
      std::string key =
          std::string(std::as_const(object)["kind"].as_string()) + " " + api::object_key(object);
      INFO(key);
      CHECK(ours[key] == object);
      ++compared;
    }
  }
  if (compared > 0) CHECK(compared == ours.size());
}

TEST_CASE("a default role gets back what it lacks and keeps what it has") {
  const Json wanted = parsed(R"({"metadata":{"name":"r","labels":{"a":"1"}},
      "rules":[{"verbs":["get","list"],"apiGroups":[""],"resources":["pods"]}]})");
  CHECK(apiserver::plan_reconcile_role(wanted, wanted).action == Reconciled::Action::nothing);
  CHECK(apiserver::is_reconciled(codec::write_json(wanted), wanted));
  const Json wider = parsed(R"({"metadata":{"name":"r","labels":{"a":"2","b":"3"}},
      "rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]})");
  CHECK_FALSE(apiserver::is_reconciled(codec::write_json(wider), wanted));
  CHECK(apiserver::plan_reconcile_role(wider, wanted).action == Reconciled::Action::nothing);
  const Json narrow = parsed(R"({"metadata":{"name":"r"},
      "rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]})");
  auto plan = apiserver::plan_reconcile_role(narrow, wanted);
  CHECK(plan.action == Reconciled::Action::update);
  CHECK(api::label(plan.object, "a") == "1");
  CHECK(std::as_const(plan.object)["rules"].items()[1] ==
        parsed(R"({"verbs":["list"],"apiGroups":[""],"resources":["pods"]})"));
  Json owned = narrow;
  owned["metadata"]["annotations"].set("rbac.authorization.kubernetes.io/autoupdate", "false");
  CHECK(apiserver::plan_reconcile_role(owned, wanted).action == Reconciled::Action::nothing);
}

TEST_CASE("a default binding gets back its subjects, and is made anew for another role") {
  const Json wanted = parsed(R"({"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole",
      "name":"r"},"subjects":[{"kind":"Group","name":"g"}]})");
  const Json other = parsed(R"({"metadata":{"name":"b"},"roleRef":{"kind":"ClusterRole",
      "name":"r"},"subjects":[{"kind":"User","name":"u"}]})");
  auto plan = apiserver::plan_reconcile_binding(other, wanted);
  CHECK(plan.action == Reconciled::Action::update);
  CHECK(plan.object["subjects"].size() == 2);
  Json moved = wanted;
  moved["roleRef"].set("name", "else");
  CHECK(apiserver::plan_reconcile_binding(moved, wanted).action == Reconciled::Action::recreate);
}

TEST_CASE("default roles that were changed are mended at the next start, in few writes") {
  ApiFixture api;
  const std::string roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles/";
  const std::string bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/";
  REQUIRE(api.call("DELETE", roles + "system:discovery").status == 200);
  REQUIRE(api.call("PATCH", roles + "system:basic-user", R"({"rules":[]})",
                   "application/merge-patch+json")
              .status == 200);
  REQUIRE(api.call("PATCH", bindings + "system:basic-user", R"({"subjects":null})",
                   "application/merge-patch+json")
              .status == 200);
  const auto before = api.hub_->snapshot().revision();
  CHECK(api.loop.run(api.server->ensure_bootstrap_objects()).is_ok());
  CHECK(api.hub_->snapshot().revision() == before + 3);
  CHECK(api.call("GET", roles + "system:discovery").status == 200);
  CHECK(api.call("GET", bindings + "system:basic-user").json()["subjects"].size() == 1);
  CHECK(api.loop.run(api.server->ensure_bootstrap_objects()).is_ok());
  CHECK(api.hub_->snapshot().revision() == before + 3);
}
