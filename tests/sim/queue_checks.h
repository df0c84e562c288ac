// What waits somewhere, against the bounds in limits.h of its module.
#pragma once

#include <string>

namespace skiff::sim {

class SimCluster;

// At any moment. Empty, or the queue that is over its bound, the first found.
std::string find_overfull_queue(SimCluster& cluster);

}  // namespace skiff::sim
