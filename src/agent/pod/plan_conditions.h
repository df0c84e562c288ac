// The conditions of a pod, as upstream's kubelet derives them from container statuses. Pure.
#pragma once

#include "agent/pod/pod_model.h"

#include <string>

namespace skiff::agent {

// All of status.conditions: the agent's own five in the kubelet's order, then the others.
// `statuses` are those of init and regular containers together.
codec::Json plan_conditions(const PodRecord& record, const codec::Json& statuses,
                            std::string_view phase, base::WallTime now);

}  // namespace skiff::agent
