#include "net/rule_bytes.h"
#include "net/service_rules.h"

#include <skiff/base/strings.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>

#include <cstring>

namespace skiff::net {

namespace {

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
constexpr const char* kLoopbackNetwork = "127.0.0.0/8";

void match_network(RuleBuilder& rule, const NetworkBytes& network, bool is_in) {
  rule.mask(Register::r0, network.mask, kZero);
  if (is_in)
    rule.match_equal(Register::r0, network.address);
  else
    rule.match_not_equal(Register::r0, network.address);
}
void match_source(RuleBuilder& rule, const NetworkBytes& network, bool is_in) {
  match_network(rule.load_source_address(Register::r0), network, is_in);
}
void match_destination(RuleBuilder& rule, const NetworkBytes& network, bool is_in) {
  match_network(rule.load_destination_address(Register::r0), network, is_in);
}
void match_translated(RuleBuilder& rule, bool is_translated) {
  rule.load_ct_status(Register::r0)
      .mask(Register::r0, raw(static_cast<std::uint32_t>(IPS_DST_NAT)), kZero);
  if (is_translated)
    rule.match_not_equal(Register::r0, kZero);
  else
    rule.match_equal(Register::r0, kZero);
}

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
  match_translated(hairpin, true);
  hairpin.load_source_address(Register::r0)
      .load_destination_address(Register::r1)
      .match_in_set(kHairpinSet, kHairpin, Register::r0)
      .masquerade()
      .comment("a pod to itself through its Service");
  batch.add_rule(hairpin);

  RuleBuilder own(table, kPostroutingChain);
  match_source(own, network_bytes(kLoopbackNetwork), true);
  match_destination(own, network_bytes(kLoopbackNetwork), false);
  own.masquerade().comment("from 127.0.0.1 to a pod");
  batch.add_rule(own);

  NetworkBytes pods = network_bytes(rules.pod_cidr), cluster = network_bytes(rules.cluster_cidr);
  RuleBuilder leaving(table, kPostroutingChain);
  match_source(leaving, pods, true);
  match_destination(leaving, cluster, false);
  leaving.masquerade().comment("pods to the world");
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
  match_destination(rule, services, true);
  rule.load_destination_kind(Register::r0).match_not_equal(Register::r0, raw(kLocalKind));
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

}  // namespace

// Answers to connections that were translated pass.
void add_loopback_guard(NftBatch& batch) {
  constexpr const char* kChain = "guard-loopback";
  batch.add_chain(kChain, {"filter", NF_INET_LOCAL_IN, 0});
  batch.flush_chain(kChain);
  RuleBuilder guard(batch.table(), kChain);
  match_destination(guard, network_bytes(kLoopbackNetwork), true);
  match_source(guard, network_bytes(kLoopbackNetwork), false);
  match_translated(guard, false);
  guard.drop().comment("others to 127.0.0.1");
  batch.add_rule(guard);
}

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
  add_loopback_guard(batch);
  add_rejects(batch, rules);
}

}  // namespace skiff::net
