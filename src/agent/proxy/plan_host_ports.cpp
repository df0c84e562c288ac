#include "agent/proxy/plan_host_ports.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <set>
#include <tuple>

namespace skiff::agent {

namespace {

// An empty address stands for all of the node's.
using Place = std::tuple<net::Protocol, std::string, std::uint16_t>;

std::vector<Place> places_of(const net::ServiceRule& rule) {
  std::vector<Place> places;
  if (rule.node_port != 0) places.emplace_back(rule.protocol, "", rule.node_port);
  if (!rule.cluster_ip.empty()) places.emplace_back(rule.protocol, rule.cluster_ip, rule.port);
  for (const auto& address : rule.external_ips)
    places.emplace_back(rule.protocol, address, rule.port);
  return places;
}

}  // namespace

std::vector<net::ServiceRule> plan_host_ports(const codec::Json& pod, const std::string& pod_ip) {
  std::vector<net::ServiceRule> rules;
  const auto& spec = pod["spec"];
  if (spec["hostNetwork"].as_bool() || pod_ip.empty()) return rules;
  for (const char* list : {"initContainers", "containers"})
    for (const auto& container : spec[list].items())
      for (const auto& port : container["ports"].items()) {
        std::string_view protocol = port["protocol"].as_string("TCP");
        const std::int64_t host_port = port["hostPort"].as_int();
        std::string_view address = port["hostIP"].as_string();
        if (host_port <= 0 || protocol == "SCTP" || address.find(':') != std::string_view::npos)
          continue;
        net::ServiceRule rule;
        rule.name = base::concat("hostport/", pod["metadata"]["uid"].as_string(), ":", address, ":",
                                 host_port);
        rule.protocol = protocol == "UDP" ? net::Protocol::udp : net::Protocol::tcp;
        rule.port = static_cast<std::uint16_t>(host_port);
        if (address.empty() || address == "0.0.0.0")
          rule.node_port = rule.port;
        else
          rule.external_ips = {std::string(address)};
        rule.endpoints = {{pod_ip, static_cast<std::uint16_t>(port["containerPort"].as_int())}};
        rule.local_only = true;  // the pod sees who asks
        rules.push_back(std::move(rule));
      }
  return rules;
}

std::vector<net::ServiceRule> without_conflicts(const std::vector<net::ServiceRule>& taken,
                                                std::vector<net::ServiceRule> rules) {
  std::set<Place> used;
  for (const auto& rule : taken)
    for (auto& place : places_of(rule)) used.insert(std::move(place));
  auto conflicts = [&used](const net::ServiceRule& rule) {
    auto places = places_of(rule);
    bool is_used = std::any_of(places.begin(), places.end(),
                               [&used](const Place& place) { return used.contains(place); });
    if (!is_used) used.insert(places.begin(), places.end());
    return is_used;
  };
  std::vector<net::ServiceRule> kept;
  for (auto& rule : rules)
    if (!conflicts(rule)) kept.push_back(std::move(rule));
  return kept;
}

}  // namespace skiff::agent
