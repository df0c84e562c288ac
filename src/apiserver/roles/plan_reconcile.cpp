#include "apiserver/roles/plan_reconcile.h"

#include <skiff/api/object.h>
#include <skiff/auth/rbac.h>

#include <algorithm>

namespace skiff::apiserver {

using codec::Json;
using Action = Reconciled::Action;

namespace {

bool is_protected(const Json& object) {
  return api::annotation(object, "rbac.authorization.kubernetes.io/autoupdate") == "false";
}

// Members that are not there; those that are keep their value.
bool add_members(const Json& wanted, Json& members) {
  bool changed = false;
  for (const auto& member : wanted.members()) {
    if (members.contains(member.key)) continue;
    members.set(member.key, member.value);
    changed = true;
  }
  return changed;
}

bool add_metadata(const Json& found, const Json& wanted, Json& object) {
  bool changed = false;
  for (std::string_view part : {"labels", "annotations"}) {
    Json merged = found["metadata"][part];
    if (!add_members(wanted["metadata"][part], merged)) continue;
    object["metadata"].set(part, std::move(merged));
    changed = true;
  }
  return changed;
}

bool has_item(const Json& list, const Json& wanted) {
  const auto& items = list.items();
  return std::any_of(items.begin(), items.end(), [&](const Json& item) { return item == wanted; });
}

bool add_items(const Json& wanted, Json& list) {
  bool changed = false;
  for (const auto& item : wanted.items()) {
    if (has_item(list, item)) continue;
    list.push_back(item);
    changed = true;
  }
  return changed;
}

Json words_json(const auth::PolicyRule::Words& words) {
  Json list = Json::array();
  for (auto word : words) list.push_back(word);
  return list;
}

Json rule_json(const auth::PolicyRule& rule) {
  Json json = Json::object({{"verbs", words_json(rule.verbs)}});
  auto add = [&](std::string_view key, const auth::PolicyRule::Words& words) {
    if (!words.empty()) json.set(key, words_json(words));
  };
  add("apiGroups", rule.api_groups);
  add("resources", rule.resources);
  add("resourceNames", rule.resource_names);
  add("nonResourceURLs", rule.non_resource_urls);
  return json;
}

// `"key":value`, which no string inside the text can hold: its quotes would be escaped.
bool has_member(std::string_view text, std::string_view key, const Json& value) {
  std::string member;
  codec::write_json_string(key, member);
  member += ':';
  codec::write_json(value, member);
  return text.find(member) != text.npos;
}

}  // namespace

bool is_reconciled(std::string_view text, const Json& wanted) {
  for (std::string_view part : {"labels", "annotations"}) {
    for (const auto& member : wanted["metadata"][part].members()) {
      if (!has_member(text, member.key, member.value)) return false;
    }
  }
  for (const auto& member : wanted.members()) {
    if (member.key != "metadata" && !has_member(text, member.key, member.value)) return false;
  }
  return true;
}

Reconciled plan_reconcile_role(const Json& found, const Json& wanted) {
  if (is_protected(found)) return {};
  Reconciled plan{Action::nothing, found};
  bool changed = add_metadata(found, wanted, plan.object);
  const bool aggregated =
      !found["aggregationRule"].is_null() && !wanted["aggregationRule"].is_null();
  if (!aggregated) {
    auto missing = auth::missing_rules(auth::policy_rules(found), auth::policy_rules(wanted));
    for (const auto& rule : missing) plan.object["rules"].push_back(rule_json(rule));
    changed = changed || !missing.empty();
  }
  if (const Json& rule = wanted["aggregationRule"]; !rule.is_null()) {
    Json selectors = found["aggregationRule"]["clusterRoleSelectors"];
    if (add_items(rule["clusterRoleSelectors"], selectors)) {
      plan.object["aggregationRule"].set("clusterRoleSelectors", std::move(selectors));
      changed = true;
    }
  }
  if (changed) plan.action = Action::update;
  return plan;
}

Reconciled plan_reconcile_binding(const Json& found, const Json& wanted) {
  if (is_protected(found)) return {};
  if (found["roleRef"] != wanted["roleRef"]) return {Action::recreate, wanted};
  Reconciled plan{Action::nothing, found};
  bool changed = add_metadata(found, wanted, plan.object);
  Json subjects = found["subjects"];
  if (add_items(wanted["subjects"], subjects)) {
    plan.object.set("subjects", std::move(subjects));
    changed = true;
  }
  if (changed) plan.action = Action::update;
  return plan;
}

}  // namespace skiff::apiserver
