// hostPort of a pod's containers as packet rules. Pure.
#pragma once

#include <skiff/codec/json.h>
#include <skiff/net/packet_rules.h>

#include <string>
#include <vector>

namespace skiff::agent {

// None for pods of the host's network, whose ports are the host's by themselves, and for SCTP.
std::vector<net::ServiceRule> plan_host_ports(const codec::Json& pod, const std::string& pod_ip);

// `rules` without those whose address and port an earlier one of `taken` or `rules` has: two rules
// for one place cannot stand in the kernel's maps, and the first of them was there before.
std::vector<net::ServiceRule> without_conflicts(const std::vector<net::ServiceRule>& taken,
                                                std::vector<net::ServiceRule> rules);

}  // namespace skiff::agent
