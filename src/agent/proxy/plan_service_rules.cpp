#include "agent/proxy/plan_service_rules.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <tuple>

namespace skiff::agent {

namespace {

using Endpoints = std::vector<net::RuleEndpoint>;

struct Candidate {
  net::RuleEndpoint endpoint;
  bool ready = false;
  bool fallback = false;  // terminating, but still serving
  bool local = false;
};

std::vector<Candidate> candidates_of(const RulesInput& input, const ServicePort& port,
                                     const SliceModels& slices) {
  std::vector<Candidate> candidates;
  for (const auto& entry : slices) {
    for (const ServicePort& target : entry.second.ports) {
      if (target.name != port.name || target.protocol != port.protocol) continue;
      for (const EndpointModel& endpoint : entry.second.endpoints) {
        bool leaves = input.leaving != nullptr && input.leaving->contains(endpoint.address);
        Candidate candidate;
        candidate.endpoint = {endpoint.address, target.port};
        candidate.ready = endpoint.ready && !leaves;
        candidate.fallback = endpoint.serving && (endpoint.terminating || leaves);
        candidate.local = endpoint.node_name == input.node_name;
        candidates.push_back(std::move(candidate));
      }
    }
  }
  return candidates;
}

// Ready endpoints; when there is none, those that still serve while they terminate.
Endpoints choose(const std::vector<Candidate>& candidates, bool local_only) {
  Endpoints ready;
  Endpoints fallback;
  for (const Candidate& candidate : candidates) {
    if (local_only && !candidate.local) continue;
    if (candidate.ready) ready.push_back(candidate.endpoint);
    if (candidate.fallback) fallback.push_back(candidate.endpoint);
  }
  Endpoints& chosen = ready.empty() ? fallback : ready;
  auto before = [](const net::RuleEndpoint& a, const net::RuleEndpoint& b) {
    return std::tie(a.address, a.port) < std::tie(b.address, b.port);
  };
  std::sort(chosen.begin(), chosen.end(), before);
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return std::move(chosen);
}

std::optional<net::Protocol> protocol_of(const ServicePort& port) {
  if (port.protocol == "TCP") return net::Protocol::tcp;
  if (port.protocol == "UDP") return net::Protocol::udp;
  return std::nullopt;
}

}  // namespace

void plan_service_rules(const RulesInput& input, const ServiceModel& service,
                        const SliceModels* slices, std::vector<net::ServiceRule>* rules) {
  bool translated = !service.cluster_ip.empty() && service.cluster_ip != input.cluster_dns &&
                    !service.proxied_elsewhere;
  if (!translated) return;
  static const SliceModels kNone;
  for (const ServicePort& port : service.ports) {
    auto protocol = protocol_of(port);
    if (!protocol) continue;
    auto candidates = candidates_of(input, port, slices == nullptr ? kNone : *slices);
    net::ServiceRule rule;
    rule.name =
        base::concat(service.key(), ":", port.name.empty() ? std::to_string(port.port) : port.name);
    rule.protocol = *protocol;
    rule.cluster_ip = service.cluster_ip;
    rule.port = port.port;
    rule.affinity_seconds = service.affinity_seconds;
    rule.endpoints = choose(candidates, service.internal_local);
    bool has_outside = port.node_port != 0 || !service.external_ips.empty();
    if (has_outside && !service.internal_local && !service.external_local) {
      rule.node_port = port.node_port;
      rule.external_ips = service.external_ips;
    } else if (has_outside) {
      net::ServiceRule outside = rule;
      outside.name += ":external";
      outside.cluster_ip.clear();
      outside.node_port = port.node_port;
      outside.external_ips = service.external_ips;
      outside.local_only = service.external_local;
      outside.endpoints = choose(candidates, service.external_local);
      rules->push_back(std::move(outside));
    }
    rules->push_back(std::move(rule));
  }
}

}  // namespace skiff::agent
