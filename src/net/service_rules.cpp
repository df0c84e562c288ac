#include "net/service_rules.h"

#include <skiff/base/strings.h>

#include "net/rule_bytes.h"

#include <algorithm>

namespace skiff::net {

namespace {

std::string hash_text(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::uint64_t hash = 14695981039346656037ull;
  for (unsigned char c : text) hash = (hash ^ c) * 1099511628211ull;
  std::string out;
  for (int i = 0; i < 16; ++i) out += kHex[(hash >> (4 * i)) & 15];
  return out;
}
std::string service_id(const ServiceRule& rule) {
  return hash_text(base::concat(rule.name, rule.protocol == Protocol::udp ? "/udp" : "/tcp"));
}
std::string service_chain(const ServiceRule& rule) { return "svc-" + service_id(rule); }
std::string external_chain(const ServiceRule& rule) { return "ext-" + service_id(rule); }
// Chain and set names have 32 bytes at most on old kernels.
std::string endpoint_id(const ServiceRule& rule, const RuleEndpoint& endpoint) {
  return hash_text(base::concat(service_id(rule), endpoint.address, ":", endpoint.port));
}
std::string endpoint_chain(const ServiceRule& rule, const RuleEndpoint& endpoint) {
  return "ep-" + endpoint_id(rule, endpoint);
}
std::string affinity_set(const ServiceRule& rule, const RuleEndpoint& endpoint) {
  return "aff-" + endpoint_id(rule, endpoint);
}

struct Elements {
  std::vector<SetElement> service_ports, node_ports, empty_ports, empty_node_ports;
};

// Where the rule stands in the named maps and sets.
Elements elements_of(const ServiceRule& rule) {
  Elements elements;
  bool served = !rule.endpoints.empty();
  auto add_port = [&](const std::string& address, const std::string& chain) {
    SetElement element{port_key(address, rule.protocol, rule.port), {}, served ? chain : ""};
    (served ? elements.service_ports : elements.empty_ports).push_back(std::move(element));
  };
  if (!rule.cluster_ip.empty()) add_port(rule.cluster_ip, service_chain(rule));
  for (const auto& address : rule.external_ips) add_port(address, external_chain(rule));
  if (rule.node_port != 0) {
    SetElement element{
        node_port_key(rule.protocol, rule.node_port), {}, served ? external_chain(rule) : ""};
    (served ? elements.node_ports : elements.empty_node_ports).push_back(std::move(element));
  }
  return elements;
}

// Reads the endpoint in r2 and r3 and translates to it.
void add_random_endpoint(NftBatch& batch, const ServiceRule& rule, std::uint32_t& next_set_id) {
  auto count = static_cast<std::uint32_t>(rule.endpoints.size());
  RuleBuilder pick(batch.table(), service_chain(rule));
  if (count == 1) {
    const RuleEndpoint& only = rule.endpoints[0];
    pick.load_value(Register::r2, address_bytes(only.address))
        .load_value(Register::r3, port_bytes(only.port).substr(0, 2));
  } else {
    std::uint32_t id = next_set_id++;
    SetOptions map{"__map%d",      id,   kTypeInteger, 4, concat_types(kTypeIpv4, kTypePort),
                   kEndpointBytes, true, true,         0};
    batch.add_set(map);
    std::vector<SetElement> elements;
    for (std::uint32_t i = 0; i < count; ++i)
      elements.push_back({raw(i), endpoint_bytes(rule.endpoints[i]), {}});
    batch.add_elements(map.name, id, elements);
    pick.load_random(Register::r0, count).look_up(map.name, id, Register::r0, Register::r2);
  }
  pick.destination_nat(Register::r2, Register::r3).comment(rule.name);
  batch.add_rule(pick);
}

void add_affinity(NftBatch& batch, const ServiceRule& rule, std::uint32_t& next_set_id) {
  const std::uint64_t timeout_ms = static_cast<std::uint64_t>(rule.affinity_seconds) * 1000;
  std::vector<SetElement> choices;
  std::uint32_t index = 0;
  for (const auto& endpoint : rule.endpoints) {
    std::string chain = endpoint_chain(rule, endpoint), set = affinity_set(rule, endpoint);
    std::uint32_t id = next_set_id++;
    batch.add_set({set, id, kTypeIpv4, 4, 0, 0, false, false, timeout_ms});
    batch.add_chain(chain);
    RuleBuilder go(batch.table(), chain);
    go.load_source_address(Register::r0)
        .refresh_in_set(set, id, Register::r0, timeout_ms)
        .load_value(Register::r2, address_bytes(endpoint.address))
        .load_value(Register::r3, port_bytes(endpoint.port).substr(0, 2))
        .destination_nat(Register::r2, Register::r3);
    batch.add_rule(go);
    RuleBuilder known(batch.table(), service_chain(rule));
    known.load_source_address(Register::r0).match_in_set(set, id, Register::r0).go_to(chain);
    batch.add_rule(known);
    choices.push_back({raw(index++), {}, chain});
  }
  std::uint32_t id = next_set_id++;
  SetOptions map{"__map%d", id, kTypeInteger, 4, kTypeVerdict, 0, true, true, 0};
  batch.add_set(map);
  batch.add_elements(map.name, id, choices);
  RuleBuilder pick(batch.table(), service_chain(rule));
  pick.load_random(Register::r0, index)
      .look_up_verdict(map.name, id, Register::r0)
      .comment(rule.name);
  batch.add_rule(pick);
}

std::vector<SetElement> hairpin_elements(const std::vector<std::string>& addresses) {
  std::vector<SetElement> elements;
  for (const auto& address : addresses)
    elements.push_back({address_bytes(address) + address_bytes(address), {}, {}});
  return elements;
}

}  // namespace

void add_service(NftBatch& batch, const ServiceRule& rule, std::uint32_t& next_set_id) {
  if (!rule.endpoints.empty()) {
    batch.add_chain(service_chain(rule));
    batch.add_chain(external_chain(rule));
    RuleBuilder external(batch.table(), external_chain(rule));
    if (!rule.local_only) {
      std::string keep = raw(~kMasqueradeMark), mark = raw(kMasqueradeMark);
      external.load_mark(Register::r0).mask(Register::r0, keep, mark).set_mark(Register::r0);
    }
    external.go_to(service_chain(rule));
    batch.add_rule(external);
    if (rule.affinity_seconds > 0)
      add_affinity(batch, rule, next_set_id);
    else
      add_random_endpoint(batch, rule, next_set_id);
  }
  Elements elements = elements_of(rule);
  batch.add_elements(kServicePortsMap, 0, elements.service_ports);
  batch.add_elements(kNodePortsMap, 0, elements.node_ports);
  batch.add_elements(kEmptyPortsSet, 0, elements.empty_ports);
  batch.add_elements(kEmptyNodePortsSet, 0, elements.empty_node_ports);
}

namespace {
bool keeps_affinity(const ServiceRule* successor, const ServiceRule& rule,
                    const RuleEndpoint& endpoint) {
  return successor != nullptr && successor->affinity_seconds == rule.affinity_seconds &&
         std::find(successor->endpoints.begin(), successor->endpoints.end(), endpoint) !=
             successor->endpoints.end();
}
}  // namespace

void remove_service(NftBatch& batch, const ServiceRule& rule, const ServiceRule* successor) {
  Elements elements = elements_of(rule);
  for (auto* list : {&elements.service_ports, &elements.node_ports})
    for (auto& element : *list) element.chain.clear();
  batch.delete_elements(kServicePortsMap, elements.service_ports);
  batch.delete_elements(kNodePortsMap, elements.node_ports);
  batch.delete_elements(kEmptyPortsSet, elements.empty_ports);
  batch.delete_elements(kEmptyNodePortsSet, elements.empty_node_ports);
  if (rule.endpoints.empty()) return;
  batch.flush_chain(external_chain(rule));
  batch.flush_chain(service_chain(rule));
  if (rule.affinity_seconds > 0)
    for (const auto& endpoint : rule.endpoints) {
      batch.flush_chain(endpoint_chain(rule, endpoint));
      batch.delete_chain(endpoint_chain(rule, endpoint));
      if (!keeps_affinity(successor, rule, endpoint))
        batch.delete_set(affinity_set(rule, endpoint));
    }
  batch.delete_chain(external_chain(rule));
  batch.delete_chain(service_chain(rule));
}

void add_hairpins(NftBatch& batch, const std::vector<std::string>& addresses) {
  batch.add_elements(kHairpinSet, 0, hairpin_elements(addresses));
}
void remove_hairpins(NftBatch& batch, const std::vector<std::string>& addresses) {
  batch.delete_elements(kHairpinSet, hairpin_elements(addresses));
}

}  // namespace skiff::net
