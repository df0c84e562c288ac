#include "controllers/nodes/plan_taint_eviction.h"

#include <algorithm>

namespace skiff::controllers {

bool tolerates(const Json& toleration, const Json& taint) {
  std::string_view effect = toleration["effect"].as_string();
  if (!effect.empty() && effect != taint["effect"].as_string()) return false;
  std::string_view key = toleration["key"].as_string();
  bool exists = toleration["operator"].as_string() == "Exists";
  if (key.empty()) return exists;
  if (key != taint["key"].as_string()) return false;
  return exists || toleration["value"].as_string() == taint["value"].as_string();
}

std::optional<base::WallTime> plan_taint_eviction(const Json& pod, const Json& node) {
  std::optional<base::WallTime> due;
  for (const Json& taint : node.at({"spec", "taints"}).items()) {
    if (taint["effect"].as_string() != "NoExecute") continue;
    base::WallTime added = time_at(taint, {"timeAdded"}).value_or(base::WallTime{});
    std::optional<base::WallTime> leaves = base::WallTime{};
    for (const Json& toleration : pod.at({"spec", "tolerations"}).items()) {
      if (!tolerates(toleration, taint)) continue;
      if (!toleration.contains("tolerationSeconds")) {
        leaves = std::nullopt;
        break;
      }
      auto seconds = std::max<std::int64_t>(0, toleration["tolerationSeconds"].as_int());
      base::WallTime until = added + std::chrono::seconds(seconds);
      // Of several tolerations of one taint the shortest counts, as upstream has it.
      leaves = leaves->unix_ns == 0 ? until : std::min(*leaves, until);
    }
    if (!leaves) continue;
    due = due ? std::min(*due, *leaves) : *leaves;
  }
  return due;
}

}  // namespace skiff::controllers
