#include "agent/container/plan_pod_resources.h"

#include <skiff/api/quantity.h>

#include <algorithm>
#include <string_view>

namespace skiff::agent {

namespace {

constexpr std::int64_t kSharesPerCpu = 1024, kSharesMin = 2, kSharesMax = 262'144;
constexpr std::int64_t kQuotaUsMin = 1000;

std::int64_t amount(const codec::Json& resources, std::string_view list, std::string_view name) {
  auto quantity = api::Quantity::parse(resources[list][name].as_string());
  // What has a limit alone requests that much; the API fills it in, static pods may lack it.
  if (!quantity && list == "requests")
    quantity = api::Quantity::parse(resources["limits"][name].as_string());
  if (!quantity) return 0;
  return name == "cpu" ? quantity->milli_value() : quantity->value();
}

std::int64_t at_one_time(const codec::Json& spec, std::string_view list, std::string_view name) {
  std::int64_t total = 0, sidecars = 0, start = 0;
  for (const auto& container : spec["containers"].items())
    total += amount(container["resources"], list, name);
  for (const auto& container : spec["initContainers"].items()) {
    const std::int64_t own = amount(container["resources"], list, name);
    const bool stays = container["restartPolicy"].as_string() == "Always";
    if (stays) sidecars += own;
    start = std::max(start, stays ? sidecars : sidecars + own);
  }
  total = std::max(total + sidecars, start);
  auto overhead = api::Quantity::parse(spec["overhead"][name].as_string());
  if (overhead && total > 0) total += name == "cpu" ? overhead->milli_value() : overhead->value();
  return total;
}

bool all_limit(const codec::Json& spec, std::string_view name) {
  for (std::string_view list : {"initContainers", "containers"})
    for (const auto& container : spec[list].items())
      if (amount(container["resources"], "limits", name) == 0) return false;
  return true;
}

}  // namespace

std::uint64_t cpu_shares(std::int64_t milli) {
  return static_cast<std::uint64_t>(
      std::clamp(milli * kSharesPerCpu / 1000, kSharesMin, kSharesMax));
}

std::int64_t cpu_quota_us(std::int64_t milli) {
  return std::max(milli * kCpuPeriodUs / 1000, kQuotaUsMin);
}

PodRequests plan_pod_requests(const codec::Json& pod) {
  const auto& spec = pod["spec"];
  return {at_one_time(spec, "requests", "cpu"), at_one_time(spec, "requests", "memory"),
          at_one_time(spec, "requests", "ephemeral-storage")};
}

void PodRequests::add(const PodRequests& other) {
  milli_cpu += other.milli_cpu;
  memory_bytes += other.memory_bytes;
  ephemeral_storage_bytes += other.ephemeral_storage_bytes;
}

runtime::Resources plan_pod_resources(const codec::Json& pod) {
  const auto& spec = pod["spec"];
  runtime::Resources out;
  out.cpu_shares = cpu_shares(plan_pod_requests(pod).milli_cpu);
  if (all_limit(spec, "cpu")) {
    out.cpu_period_us = kCpuPeriodUs;
    out.cpu_quota_us = cpu_quota_us(at_one_time(spec, "limits", "cpu"));
  }
  if (all_limit(spec, "memory")) out.memory_limit_bytes = at_one_time(spec, "limits", "memory");
  return out;
}

}  // namespace skiff::agent
