// Requests and limits of a pod as a whole. Pure.
#pragma once

#include <skiff/codec/json.h>
#include <skiff/runtime/runtime.h>

#include <cstdint>

namespace skiff::agent {

// CPU of `milli` thousandths as the kernel counts it: shares of control groups v1, and microseconds
// of each period.
std::uint64_t cpu_shares(std::int64_t milli);
inline constexpr std::int64_t kCpuPeriodUs = 100'000;
std::int64_t cpu_quota_us(std::int64_t milli);

// What the containers request at most at one time, with the pod's overhead: init containers run one
// after the other, those that stay beside the rest (KEP-753).
struct PodRequests {
  std::int64_t milli_cpu = 0, memory_bytes = 0, ephemeral_storage_bytes = 0;
  void add(const PodRequests& other);
};
PodRequests plan_pod_requests(const codec::Json& pod);

// For the pod's control group: no limit where one of the containers has none.
runtime::Resources plan_pod_resources(const codec::Json& pod);

}  // namespace skiff::agent
