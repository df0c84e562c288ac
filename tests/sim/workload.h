// What users do to a simulated cluster, and what must hold afterwards.
#pragma once

#include <string>

#include "sim/sim_cluster.h"

namespace skiff::sim {

// One random act of a user: make, change, scale, restart or delete something.
void act(SimCluster& cluster);
// One random fault, or the end of one.
void disturb(SimCluster& cluster);

// Empty when everything is as users asked for; else what is not, the first found.
std::string find_unsettled(SimCluster& cluster);
// Waits (virtual time) until it is; the last complaint when it does not become so.
std::string wait_settled(SimCluster& cluster, base::Duration most);
// Waits until every board is connected and its node Ready; the last complaint when not.
std::string wait_boards(SimCluster& cluster, base::Duration most);
// What must hold at any time: no node is overfull, no watch gap, no lost write.
std::string find_violation(SimCluster& cluster);
// A rollout without faults: between its fence posts at every moment. REQUIRES: settled.
std::string check_healthy_rollout(SimCluster& cluster);

}  // namespace skiff::sim
