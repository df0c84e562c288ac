#include "net/rule_plan.h"

#include <algorithm>
#include <map>
#include <utility>

namespace skiff::net {

RuleChanges plan_rule_changes(const std::vector<ServiceRule>& before,
                              const std::vector<ServiceRule>& after) {
  using Key = std::pair<std::string_view, Protocol>;
  std::map<Key, const ServiceRule*> old_rules;
  for (const auto& rule : before) old_rules.emplace(Key(rule.name, rule.protocol), &rule);

  RuleChanges changes;
  auto lose = [&](const ServiceRule& old_rule, const ServiceRule* new_rule) {
    if (old_rule.protocol != Protocol::udp) return;
    for (const auto& endpoint : old_rule.endpoints) {
      bool kept = new_rule != nullptr &&
                  std::find(new_rule->endpoints.begin(), new_rule->endpoints.end(), endpoint) !=
                      new_rule->endpoints.end();
      if (!kept) changes.lost_udp_endpoints.push_back(endpoint);
    }
  };
  for (const auto& rule : after) {
    auto found = old_rules.find(Key(rule.name, rule.protocol));
    if (found == old_rules.end()) {
      changes.added.push_back(&rule);
      continue;
    }
    const ServiceRule* old_rule = found->second;
    old_rules.erase(found);
    if (*old_rule == rule) continue;
    changes.removed.push_back({old_rule, &rule});
    changes.added.push_back(&rule);
    lose(*old_rule, &rule);
  }
  for (const auto& [key, rule] : old_rules) {
    changes.removed.push_back({rule, nullptr});
    lose(*rule, nullptr);
  }
  return changes;
}

}  // namespace skiff::net
