// What happens to boards in the course of years, one thing at a time, in a cluster that is whole.
// Each returns what went wrong, or nothing, and leaves the cluster whole.
#pragma once

#include <string>

#include "sim/sim_cluster.h"

namespace skiff::sim {

// Wall clocks jump: no pod is evicted, no node is lost.
std::string check_clock_jumps(SimCluster& cluster);
// A board is not heard, or does not hear, for minutes: its node is lost after its grace and not
// before, and its pods are still there when it comes back.
std::string check_silence(SimCluster& cluster);
// A year and more passes, the authority rolls, a board is away for longer than its certificates.
std::string check_years(SimCluster& cluster);
// Boards run on without a master until their certificates have ended.
std::string check_long_outage(SimCluster& cluster);
// Boards with tokens that let them in, that do not, or that end meanwhile.
std::string check_tokens(SimCluster& cluster);
// A second board under a name that is taken, one that takes the place of another, and a copy.
std::string check_second_board(SimCluster& cluster);

}  // namespace skiff::sim
