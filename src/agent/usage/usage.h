// What the node and the containers on it use at one moment.
#pragma once

#include <skiff/base/clock.h>

#include "agent/node/plan_node.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skiff::agent {

// cpu_ns is counted from the start, memory is in use now. The working set leaves out what the
// kernel takes back first.
struct ContainerSample {
  std::string name;
  base::WallTime started_at;
  std::uint64_t cpu_ns = 0;
  std::int64_t memory_bytes = 0, memory_working_set_bytes = 0;
};

struct PodSample {
  std::string name, namespace_name, uid;
  std::optional<base::WallTime> started_at;
  std::vector<ContainerSample> containers;  // those that run
};

struct HostSample {
  HostFacts facts;
  base::WallTime booted_at;
  std::uint64_t cpu_ns = 0;  // of all processors, not idle
};

struct UsageSnapshot {
  std::string node_name;
  base::WallTime taken_at;
  HostSample host;
  std::vector<PodSample> pods;
  bool is_incomplete = false;  // the use of a container that is there could not be read
};

}  // namespace skiff::agent
