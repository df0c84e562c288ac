// What must hold of boards and their connections.
#pragma once

#include <string>

#include "sim/sim_cluster.h"

namespace skiff::sim {

// Empty when every board is connected and shows exactly the pods that the store has for its node;
// else what is not so, the first found.
std::string find_unsettled_board(SimCluster& cluster);
// What must hold at any time: a node is shown its own pods and nothing else, its Lease is renewed
// while it is connected, and it is not lost before its time.
std::string find_board_violation(SimCluster& cluster);
// Streams to boards that are well come to their ends. REQUIRES: settled.
std::string check_streams(SimCluster& cluster);
// What connections that are gone have left behind. REQUIRES: settled for minutes.
std::string find_leftover(SimCluster& cluster);
// Asks over the uplinks for what is none of a node's business. REQUIRES: settled.
std::string find_open_door(SimCluster& cluster);

}  // namespace skiff::sim
