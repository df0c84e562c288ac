// How well a pod would be placed on each of several nodes. Pure.
#pragma once

#include <vector>

#include "scheduler/topology.h"

namespace skiff::scheduler {

// The weighted sum of all scores, in the order of `nodes`.
std::vector<std::int64_t> score_nodes(const Cluster& cluster, const PodFacts& pod,
                                      const TopologyCounts& topology,
                                      const std::vector<const NodeFacts*>& nodes);

std::int64_t least_allocated_score(const PodFacts& pod, const NodeFacts& node);
std::int64_t balanced_allocation_score(const PodFacts& pod, const NodeFacts& node);
std::int64_t image_locality_score(const Cluster& cluster, const PodFacts& pod,
                                  const NodeFacts& node);

}  // namespace skiff::scheduler
