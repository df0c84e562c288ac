// What the agent knows, as the PodStatus that the kubelet would write. Pure.
#pragma once

#include "agent/pod/pod_model.h"

#include <string>
#include <vector>

namespace skiff::agent {

struct StatusInput {
  const PodRecord& record;
  std::string node_ip;
  base::WallTime now;
};

// The whole status: phase, conditions, container statuses, addresses, start time, QoS class,
// observedGeneration. Conditions that are not the agent's, and transition times of those that did
// not change, are taken over from the pod's present status.
codec::Json plan_pod_status(const StatusInput& input);

// "Pending", "Running", "Succeeded" or "Failed" for container statuses as above.
std::string plan_phase(const PodRecord& record, const codec::Json& container_statuses,
                       const codec::Json& init_container_statuses);
codec::Json plan_container_status(const PodRecord& record, const ContainerRecord& container);
// True when nothing of the pod will run again by itself: Succeeded or Failed.
bool is_terminal_phase(std::string_view phase);
// "Guaranteed", "Burstable" or "BestEffort".
std::string plan_qos_class(const codec::Json& pod);

// The strategic merge patch that turns `before` into `after`: null when they are the same.
// `uid` is its precondition.
codec::Json plan_status_patch(const codec::Json& before, const codec::Json& after,
                              std::string_view uid);

}  // namespace skiff::agent
