// What changes between two sets of rules. Pure.
#pragma once

#include <skiff/net/packet_rules.h>

#include <string>
#include <vector>

namespace skiff::net {

struct RuleChanges {
  struct Removed {
    const ServiceRule* rule = nullptr;       // of the old set
    const ServiceRule* successor = nullptr;  // of the new set when it changed, then also in `added`
  };
  std::vector<Removed> removed;
  std::vector<const ServiceRule*> added;  // of the new set
  std::vector<RuleEndpoint> lost_udp_endpoints;
};
// Rules are matched by name and protocol. Views into both sets.
RuleChanges plan_rule_changes(const std::vector<ServiceRule>& before,
                              const std::vector<ServiceRule>& after);

}  // namespace skiff::net
