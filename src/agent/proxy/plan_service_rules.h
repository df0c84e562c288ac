// Which packet rules a node needs. Pure.
#pragma once

#include "agent/proxy/service_model.h"

#include <skiff/net/packet_rules.h>

#include <set>
#include <string>
#include <vector>

namespace skiff::agent {

struct RulesInput {
  std::string_view node_name;
  std::string_view cluster_dns;
  // Addresses of pods that this node is about to stop: they count as terminating.
  const std::set<std::string>* leaving = nullptr;
};

// Appends the rules of one Service: for every port one rule, or two where traffic from inside and
// from outside the cluster may go to different endpoints. `slices` are those of the Service.
void plan_service_rules(const RulesInput& input, const ServiceModel& service,
                        const SliceModels* slices, std::vector<net::ServiceRule>* rules);

}  // namespace skiff::agent
