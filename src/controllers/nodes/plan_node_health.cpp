#include "controllers/nodes/plan_node_health.h"

#include <array>

namespace skiff::controllers {

namespace {

struct ManagedTaint {
  std::string_view condition, status, key;
};
constexpr std::array<ManagedTaint, 6> kConditionTaints = {{
    {"Ready", "False", kNotReadyTaint},
    {"Ready", "Unknown", kUnreachableTaint},
    {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure"},
    {"DiskPressure", "True", "node.kubernetes.io/disk-pressure"},
    {"PIDPressure", "True", "node.kubernetes.io/pid-pressure"},
    {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"},
}};
constexpr std::string_view kUnschedulableTaint = "node.kubernetes.io/unschedulable";

bool is_managed(const Json& taint) {
  std::string_view key = taint["key"].as_string(), effect = taint["effect"].as_string();
  if (effect == "NoExecute") return key == kNotReadyTaint || key == kUnreachableTaint;
  if (effect != "NoSchedule") return false;
  if (key == kUnschedulableTaint) return true;
  for (const auto& managed : kConditionTaints)
    if (managed.key == key) return true;
  return false;
}

}  // namespace

bool is_node_ready(const Json& node) {
  return api::find_condition(node, "Ready")["status"].as_string() == "True";
}

Json plan_silent_conditions(const Json& node, base::WallTime now) {
  Json conditions = node.at({"status", "conditions"});
  if (!conditions.is_array()) conditions = Json::array();
  for (std::string_view type : {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"}) {
    const Json& current = condition_of(conditions, type);
    if (current["status"].as_string() == "Unknown") continue;
    bool never = current.is_null();
    set_condition(
        conditions, type, "Unknown", never ? "NodeStatusNeverUpdated" : "NodeStatusUnknown",
        never ? "Kubelet never posted node status." : "Kubelet stopped posting node status.", now);
    for (Json& condition : conditions.mutable_items())
      if (never && condition["type"].as_string() == type)
        condition.set("lastHeartbeatTime", node.at({"metadata", "creationTimestamp"}));
  }
  return conditions;
}

Json plan_taints(const Json& node, bool all_disrupted, base::WallTime now) {
  Json taints = Json::array();
  for (const Json& taint : node.at({"spec", "taints"}).items())
    if (!is_managed(taint)) taints.push_back(taint);
  auto add = [&](std::string_view key, std::string_view effect) {
    // timeAdded stays: evictions count from it.
    for (const Json& taint : node.at({"spec", "taints"}).items())
      if (taint["key"].as_string() == key && taint["effect"].as_string() == effect) {
        taints.push_back(taint);
        return;
      }
    Json taint = Json::object({{"key", key}, {"effect", effect}});
    taint.set("timeAdded", base::format_rfc3339(now));
    taints.push_back(std::move(taint));
  };
  for (const auto& managed : kConditionTaints)
    if (api::find_condition(node, managed.condition)["status"].as_string() == managed.status)
      add(managed.key, "NoSchedule");
  if (node.at({"spec", "unschedulable"}).as_bool()) add(kUnschedulableTaint, "NoSchedule");
  std::string_view ready = api::find_condition(node, "Ready")["status"].as_string();
  if (all_disrupted) return taints;
  if (ready == "False") add(kNotReadyTaint, "NoExecute");
  if (ready == "Unknown") add(kUnreachableTaint, "NoExecute");
  return taints;
}

}  // namespace skiff::controllers
