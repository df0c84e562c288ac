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

namespace {

// How long the pod stays in spite of this taint; nullopt: for ever.
std::optional<base::Duration> stay_of(const Json& pod, const Json& taint, base::Duration age) {
  std::optional<base::Duration> stay;
  for (const Json& toleration : pod.at({"spec", "tolerations"}).items()) {
    if (!tolerates(toleration, taint)) continue;
    if (!toleration.contains("tolerationSeconds")) return std::nullopt;
    const base::Duration tolerated =
        std::chrono::seconds(std::max<std::int64_t>(0, toleration["tolerationSeconds"].as_int()));
    const base::Duration rest = tolerated - age;
    // Of several tolerations of one taint the shortest counts, as upstream has it.
    stay = stay ? std::min(*stay, rest) : rest;
  }
  return stay ? *stay : base::Duration::zero();
}

}  // namespace

std::optional<base::Duration> plan_taint_eviction(
    const Json& pod, const Json& node,
    const std::function<base::Duration(const Json& taint)>& age_of, base::Duration pod_age) {
  std::optional<base::Duration> shortest;
  for (const Json& taint : node.at({"spec", "taints"}).items()) {
    if (taint["effect"].as_string() != "NoExecute") continue;
    auto stay = stay_of(pod, taint, std::min(age_of(taint), pod_age));
    if (stay) shortest = shortest ? std::min(*shortest, *stay) : *stay;
  }
  return shortest;
}

}  // namespace skiff::controllers
