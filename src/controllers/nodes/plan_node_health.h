// Conditions and taints of nodes that are silent or not ready. Pure.
#pragma once

#include <string>
#include <vector>

#include "controllers/common/objects.h"

namespace skiff::controllers {

inline constexpr std::string_view kNotReadyTaint = "node.kubernetes.io/not-ready";
inline constexpr std::string_view kUnreachableTaint = "node.kubernetes.io/unreachable";

bool is_node_ready(const Json& node);

// status.conditions of a node that has not been heard of for too long: Ready and the pressure
// conditions become Unknown.
Json plan_silent_conditions(const Json& node, base::WallTime now);

// spec.taints as they should be: NoSchedule by conditions and spec.unschedulable, NoExecute for
// nodes that are not ready or unreachable - unless `all_disrupted`: when no node is well, moving
// pods helps nobody. Taints of others are kept.
Json plan_taints(const Json& node, bool all_disrupted, base::WallTime now);

}  // namespace skiff::controllers
