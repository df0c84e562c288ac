// Forgetting tracked UDP flows, so that clients of a removed endpoint find a new one at once.
#pragma once

#include <skiff/base/result.h>
#include <skiff/net/packet_rules.h>

#include <vector>

namespace skiff::net {

// Deletes the UDP flows that are translated to one of `endpoints`. Ok without connection tracking.
base::Status forget_udp_flows(const std::vector<RuleEndpoint>& endpoints);

}  // namespace skiff::net
