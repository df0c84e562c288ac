// The best node for a pod, or why there is none. Pure.
#pragma once

#include <skiff/base/random.h>

#include <map>
#include <string>

#include "scheduler/topology.h"

namespace skiff::scheduler {

struct Placement {
  std::string node;               // empty: none
  std::string message;            // of FailedScheduling, upstream's whole sentence
  std::uint32_t rejected_by = 0;  // plugin_bit()s
  std::size_t next_start = 0;     // where the next pod's search begins
};

// `start` spreads the search over large clusters. `random` chooses among the best.
Placement plan_placement(const Cluster& cluster, const PodFacts& pod, std::size_t start,
                         base::Random& random);

// Of a cluster of this size so many feasible nodes are scored.
std::size_t feasible_nodes_wanted(std::size_t nodes);

}  // namespace skiff::scheduler
