#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/service_rules.h"

#include <skiff/base/strings.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>

#include <algorithm>
#include <cstring>

namespace skiff::net {

namespace {

constexpr const char* kServicesChain = "services";
constexpr const char* kPostroutingChain = "postrouting";
constexpr const char* kServicePortsMap = "service-ports";
constexpr const char* kNodePortsMap = "node-ports";
constexpr const char* kHairpinSet = "hairpin";
constexpr const char* kEmptyPortsSet = "empty-ports";
constexpr const char* kEmptyNodePortsSet = "empty-node-ports";

constexpr std::int32_t kDestinationNatPriority = -100, kSourceNatPriority = 100;
constexpr std::uint32_t kMasqueradeMark = 0x4000;
constexpr std::uint32_t kLocalKind = 2;  // RTN_LOCAL
constexpr std::uint32_t kPortKeyType =
    concat_types(concat_types(kTypeIpv4, kTypeProtocol), kTypePort);
constexpr std::uint32_t kPortKeyBytes = 12, kNodePortKeyBytes = 8, kEndpointBytes = 8;

template <class T>
std::string raw(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}
std::string address_bytes(const std::string& text) {
  in_addr address{};
  inet_pton(AF_INET, text.c_str(), &address);
  return raw(address.s_addr);
}
// Shorter values stand at the beginning of their 32-bit register.
std::string port_bytes(std::uint16_t port) {
  return raw(static_cast<std::uint16_t>(htons(port))) + std::string(2, '\0');
}
std::string protocol_bytes(Protocol protocol) {
  std::uint8_t number = protocol == Protocol::udp ? IPPROTO_UDP : IPPROTO_TCP;
  return raw(number) + std::string(3, '\0');
}
std::string port_key(const std::string& address, Protocol protocol, std::uint16_t port) {
  return address_bytes(address) + protocol_bytes(protocol) + port_bytes(port);
}
std::string node_port_key(Protocol protocol, std::uint16_t port) {
  return protocol_bytes(protocol) + port_bytes(port);
}
std::string endpoint_bytes(const RuleEndpoint& endpoint) {
  return address_bytes(endpoint.address) + port_bytes(endpoint.port);
}

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

RuleBuilder& load_port_key(RuleBuilder& rule) {
  return rule.load_destination_address(Register::r0)
      .load_protocol(Register::r1)
      .load_destination_port(Register::r2);
}

std::string table_network_mask(int prefix_bits) {
  return raw(static_cast<std::uint32_t>(htonl(prefix_bits == 0 ? 0 : ~0u << (32 - prefix_bits))));
}

struct NetworkBytes {
  std::string address, mask;
};
NetworkBytes network_bytes(const std::string& cidr) {
  auto parts = base::split(cidr, '/');
  int bits = parts.size() == 2 ? static_cast<int>(base::parse_int(parts[1]).value_or(32)) : 32;
  in_addr address{};
  inet_pton(AF_INET, std::string(parts[0]).c_str(), &address);
  std::string mask = table_network_mask(bits);
  std::uint32_t mask_number = 0;
  std::memcpy(&mask_number, mask.data(), sizeof mask_number);
  return {raw(static_cast<std::uint32_t>(address.s_addr & mask_number)), mask};
}

const std::string kZero(4, '\0');

void add_postrouting(NftBatch& batch, const RuleSet& rules) {
  const std::string& table = batch.table();
  RuleBuilder marked(table, kPostroutingChain);
  std::string mark = raw(kMasqueradeMark);
  marked.load_mark(Register::r0)
      .mask(Register::r0, mark, kZero)
      .match_not_equal(Register::r0, kZero);
  marked.masquerade().comment("from outside to a Service");
  batch.add_rule(marked);

  RuleBuilder hairpin(table, kPostroutingChain);
  std::string translated = raw(static_cast<std::uint32_t>(IPS_DST_NAT));
  hairpin.load_ct_status(Register::r0)
      .mask(Register::r0, translated, kZero)
      .match_not_equal(Register::r0, kZero)
      .load_source_address(Register::r0)
      .load_destination_address(Register::r1)
      .match_in_set(kHairpinSet, kHairpin, Register::r0)
      .masquerade()
      .comment("a pod to itself through its Service");
  batch.add_rule(hairpin);

  NetworkBytes pods = network_bytes(rules.pod_cidr), cluster = network_bytes(rules.cluster_cidr);
  RuleBuilder leaving(table, kPostroutingChain);
  leaving.load_source_address(Register::r0)
      .mask(Register::r0, pods.mask, kZero)
      .match_equal(Register::r0, pods.address)
      .load_destination_address(Register::r0)
      .mask(Register::r0, cluster.mask, kZero)
      .match_not_equal(Register::r0, cluster.address)
      .masquerade()
      .comment("pods to the world");
  batch.add_rule(leaving);
}

using Match = void (*)(RuleBuilder& rule, const NetworkBytes& services);

// A reset for TCP, which reaches this host's own processes too (the kernel sends no ICMP error from
// an address that is routed to lo), an ICMP error for the rest.
void add_reject(NftBatch& batch, const char* chain, const NetworkBytes& services, Match match,
                std::string_view comment) {
  RuleBuilder tcp(batch.table(), chain);
  match(tcp, services);
  tcp.load_protocol(Register::r4)
      .match_equal(Register::r4, std::string(1, IPPROTO_TCP))
      .reject_with_reset()
      .comment(comment);
  batch.add_rule(tcp);
  RuleBuilder other(batch.table(), chain);
  match(other, services);
  other.reject_port_unreachable().comment(comment);
  batch.add_rule(other);
}

void match_empty_port(RuleBuilder& rule, const NetworkBytes&) {
  load_port_key(rule).match_in_set(kEmptyPortsSet, kEmptyPorts, Register::r0);
}
void match_unknown_service(RuleBuilder& rule, const NetworkBytes& services) {
  rule.load_destination_address(Register::r0)
      .mask(Register::r0, services.mask, kZero)
      .match_equal(Register::r0, services.address)
      .load_destination_kind(Register::r0)
      .match_not_equal(Register::r0, raw(kLocalKind));
}
void match_empty_node_port(RuleBuilder& rule, const NetworkBytes&) {
  rule.load_protocol(Register::r0)
      .load_destination_port(Register::r1)
      .match_in_set(kEmptyNodePortsSet, kEmptyNodePorts, Register::r0);
}

void add_rejects(NftBatch& batch, const RuleSet& rules) {
  NetworkBytes services = network_bytes(rules.service_cidr);
  for (const char* chain : {"reject-forward", "reject-output"}) {
    add_reject(batch, chain, services, match_empty_port, "a Service without endpoints");
    add_reject(batch, chain, services, match_unknown_service, "no such Service");
  }
  add_reject(batch, "reject-input", services, match_empty_node_port,
             "a node port without endpoints");
}

void add_dispatch(NftBatch& batch) {
  const std::string& table = batch.table();
  RuleBuilder services(table, kServicesChain);
  load_port_key(services).look_up_verdict(kServicePortsMap, kServicePorts, Register::r0);
  batch.add_rule(services);
  RuleBuilder node_ports(table, kServicesChain);
  node_ports.load_destination_kind(Register::r0)
      .match_equal(Register::r0, raw(kLocalKind))
      .load_protocol(Register::r0)
      .load_destination_port(Register::r1)
      .look_up_verdict(kNodePortsMap, kNodePorts, Register::r0);
  batch.add_rule(node_ports);
  for (const char* hook : {"prerouting", "output"}) {
    RuleBuilder enter(table, hook);
    enter.jump(kServicesChain);
    batch.add_rule(enter);
  }
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

void add_frame(NftBatch& batch, const RuleSet& rules) {
  batch.add_table();
  batch.add_chain("prerouting", {"nat", NF_INET_PRE_ROUTING, kDestinationNatPriority});
  batch.add_chain("output", {"nat", NF_INET_LOCAL_OUT, kDestinationNatPriority});
  batch.add_chain(kPostroutingChain, {"nat", NF_INET_POST_ROUTING, kSourceNatPriority});
  batch.add_chain("reject-input", {"filter", NF_INET_LOCAL_IN, 0});
  batch.add_chain("reject-forward", {"filter", NF_INET_FORWARD, 0});
  batch.add_chain("reject-output", {"filter", NF_INET_LOCAL_OUT, 0});
  batch.add_chain(kServicesChain);
  batch.add_set({kServicePortsMap, kServicePorts, kPortKeyType, kPortKeyBytes, kTypeVerdict, 0,
                 true, false, 0});
  batch.add_set({kNodePortsMap, kNodePorts, concat_types(kTypeProtocol, kTypePort),
                 kNodePortKeyBytes, kTypeVerdict, 0, true, false, 0});
  batch.add_set(
      {kHairpinSet, kHairpin, concat_types(kTypeIpv4, kTypeIpv4), 8, 0, 0, false, false, 0});
  batch.add_set({kEmptyPortsSet, kEmptyPorts, kPortKeyType, kPortKeyBytes, 0, 0, false, false, 0});
  batch.add_set({kEmptyNodePortsSet, kEmptyNodePorts, concat_types(kTypeProtocol, kTypePort),
                 kNodePortKeyBytes, 0, 0, false, false, 0});
  add_dispatch(batch);
  add_postrouting(batch, rules);
  add_rejects(batch, rules);
}

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
