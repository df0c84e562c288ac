// A snapshot of use in the forms that the kubelet serves. Pure.
#pragma once

#include <skiff/codec/json.h>

#include "agent/usage/usage.h"

#include <string>
#include <string_view>

namespace skiff::agent {

// The first two lines that matter of /proc/stat: processor time that is not idle, and the start of
// the host. `ticks_per_second` is _SC_CLK_TCK. What is malformed counts as 0.
void take_proc_stat(std::string_view text, std::int64_t ticks_per_second, HostSample& host);

// The Summary of k8s.io/kubelet stats v1alpha1. Rates (usageNanoCores) are left out: nothing here
// samples over time.
codec::Json plan_summary(const UsageSnapshot& snapshot);

// The text of /metrics/resource: the names, labels and units of KEP-727, in Prometheus' format
// 0.0.4.
std::string plan_resource_metrics(const UsageSnapshot& snapshot);

}  // namespace skiff::agent
