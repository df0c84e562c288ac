#include "controllers/rbac/plan_aggregation.h"

#include <skiff/api/selector.h>

#include <algorithm>

namespace skiff::controllers {

using codec::Json;

namespace {

void add_rules(const Json& from, Json& rules) {
  for (const auto& rule : from["rules"].items()) {
    const auto& known = std::as_const(rules).items();
    if (std::find(known.begin(), known.end(), rule) == known.end()) rules.push_back(rule);
  }
}

}  // namespace

Json plan_aggregation(const Json& role, const std::vector<api::StoredObject>& roles) {
  Json rules = Json::array();
  for (const auto& wanted : role["aggregationRule"]["clusterRoleSelectors"].items()) {
    auto selector = api::LabelSelector::from_json(wanted);
    if (!selector.is_ok()) continue;
    for (const auto& other : roles) {
      if (other.name() == api::name_of(role)) continue;
      if (!selector->matches(api::scan_string_map(other.text(), {"metadata", "labels"}))) continue;
      auto tree = other.parse();
      if (tree.is_ok()) add_rules(*tree, rules);
    }
  }
  return rules;
}

}  // namespace skiff::controllers
