#include "cluster_fixture.h"

#include "controllers/rbac/plan_aggregation.h"

using namespace skiff;
using namespace skiff::test;

namespace {

Json rule(std::string_view resource) {
  return Json::object({{"verbs", Json::array({Json("get")})},
                       {"apiGroups", Json::array({Json("")})},
                       {"resources", Json::array({Json(resource)})}});
}

Json role(std::string_view name, std::string_view label, Json rules) {
  Json object = Json::object({{"apiVersion", "rbac.authorization.k8s.io/v1"},
                              {"kind", "ClusterRole"},
                              {"rules", std::move(rules)}});
  object["metadata"].set("name", name);
  if (!label.empty()) object["metadata"]["labels"].set(label, "true");
  return object;
}

Json gathering(std::string_view name, std::string_view label,
               std::initializer_list<std::string_view> from) {
  Json object = role(name, label, Json::array());
  for (auto each : from) {
    Json selector;
    selector["matchLabels"].set(each, "true");
    object["aggregationRule"]["clusterRoleSelectors"].push_back(std::move(selector));
  }
  return object;
}

Json rules_of(const ControllerFixture& f, const std::string& name) {
  return f.api.object(resources::cluster_roles, name)["rules"];
}

}  // namespace

TEST_CASE("a gathering role has the rules that its selectors find, once each") {
  std::vector<api::StoredObject> roles;
  for (const Json& each :
       {role("a", "x", Json::array({rule("pods"), rule("nodes")})),
        role("b", "y", Json::array({rule("secrets"), rule("pods")})),
        role("c", "z", Json::array({rule("leases")})), gathering("g", "x", {"x"})}) {
    roles.emplace_back(api::StoredObject::encode(each), 1);
  }
  auto plan = [&](std::initializer_list<std::string_view> from) {
    return controllers::plan_aggregation(gathering("g", "x", from), roles);
  };
  CHECK(plan({"x"}) == Json::array({rule("pods"), rule("nodes")}));
  CHECK(plan({"y", "x"}) == Json::array({rule("secrets"), rule("pods"), rule("nodes")}));
  CHECK(plan({"none"}).empty());
}

TEST_CASE("rules reach gathering roles that gather from each other, and leave them again") {
  ControllerFixture f;
  f.api.put(resources::cluster_roles, gathering("admin", "", {"to-admin"}));
  f.api.put(resources::cluster_roles, gathering("edit", "to-admin", {"to-edit"}));
  f.api.put(resources::cluster_roles, role("own", "to-edit", Json::array({rule("pods")})));
  f.settle();
  CHECK(rules_of(f, "edit") == Json::array({rule("pods")}));
  CHECK(rules_of(f, "admin") == Json::array({rule("pods")}));
  auto writes = f.api.writes;
  f.api.put(resources::cluster_roles, role("other", "", Json::array({rule("nodes")})));
  f.settle();
  CHECK(f.api.writes == writes);
  f.api.erase(resources::cluster_roles, "own");
  f.settle();
  CHECK(rules_of(f, "admin").empty());
  f.api.put(resources::cluster_roles, role("other", "to-admin", Json::array({rule("nodes")})));
  f.settle();
  CHECK(rules_of(f, "admin") == Json::array({rule("nodes")}));
  CHECK(rules_of(f, "edit").empty());
}
