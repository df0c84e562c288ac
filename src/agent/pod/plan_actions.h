// What a running pod needs next: which containers to start, which to stop. Pure.
#pragma once

#include <skiff/base/age.h>

#include "agent/pod/pod_model.h"

#include <optional>
#include <string>
#include <vector>

namespace skiff::agent {

struct PodActions {
  // In this order.
  std::vector<std::string> start;
  // In back-off: the status of these says CrashLoopBackOff until their time.
  std::vector<std::string> back_off;
  // Sidecars that may end: every regular container is done for good.
  bool stop_sidecars = false;
  // Nothing will run again: the pod is to be taken down.
  bool is_done = false;
  // When to look again by itself.
  std::optional<base::MonotonicTime> look_again_at;
};

PodActions plan_actions(const PodRecord& record, base::MonotonicTime now);

// True when the pod has exceeded spec.activeDeadlineSeconds since status.startTime.
bool is_past_deadline(const PodRecord& record, const base::AgeOf& age_of);
// How long until then; nullopt without a deadline.
std::optional<base::Duration> time_to_deadline(const PodRecord& record, const base::AgeOf& age_of);

}  // namespace skiff::agent
