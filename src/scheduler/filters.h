// Whether a pod may run on a node, and why not. Pure.
#pragma once

#include <string>
#include <vector>

#include "scheduler/cluster.h"

namespace skiff::scheduler {

// What must change before a rejected pod is worth another try.
enum class Plugin : unsigned char {
  none,
  node_unschedulable,
  node_name,
  taint_toleration,
  node_affinity,
  node_ports,
  resources_fit,
  topology_spread,
  pod_affinity,
  volumes,
};
constexpr std::uint32_t plugin_bit(Plugin plugin) { return 1u << static_cast<unsigned>(plugin); }

struct Verdict {
  Plugin plugin = Plugin::none;      // none: the node will do
  std::vector<std::string> reasons;  // in upstream's words
  bool unresolvable = false;         // no eviction of pods would help

  bool is_ok() const { return plugin == Plugin::none; }
};

// The filters that look at one node alone.
Verdict filter_node(const PodFacts& pod, const NodeFacts& node);

}  // namespace skiff::scheduler
