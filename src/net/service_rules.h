// How one Service becomes chains, map elements and rules in a batch.
//
//   prerouting, output (nat) ── jump ──► services
//   services:   daddr . proto . dport ─► @service-ports ─► svc-<id> | ext-<id>
//               local daddr, proto . dport ─► @node-ports ─► ext-<id>
//   ext-<id>:   set the masquerade mark, goto svc-<id>
//   svc-<id>:   pick one endpoint at random, dnat
//               with affinity: saddr in @aff-<id>-<endpoint> goes on to that endpoint's chain first
//   ep-<id>-<endpoint>: remember saddr for the affinity's time, dnat
//   postrouting (nat): marked, hairpin, from 127.0.0.1, and pod traffic that leaves the cluster:
//               masquerade
//   reject-… (filter): ports without endpoints, and addresses of no Service: refuse
//   guard-loopback (filter): pods to 127.0.0.1 of the host: drop
#pragma once

#include <skiff/net/packet_rules.h>

#include "net/nft_batch.h"

namespace skiff::net {

// Ids of the named sets; those of anonymous ones follow.
enum SetId : std::uint32_t {
  kServicePorts = 1,
  kNodePorts,
  kHairpin,
  kEmptyPorts,
  kEmptyNodePorts,
  kFirstAnonymous,
};

// Links of pods may carry addresses of 127.0.0.0/8, so that what listens there for this host alone
// must be kept from pods (CVE-2020-8558). Into a table that is there, where it replaces itself.
void add_loopback_guard(NftBatch& batch);
// The table, the guard, base chains, named sets and the rules that every cluster has.
void add_frame(NftBatch& batch, const RuleSet& rules);
// `next_set_id` counts the batch's sets.
void add_service(NftBatch& batch, const ServiceRule& rule, std::uint32_t& next_set_id);
// Elements first, then chains: nothing may point at a chain that goes.
// `successor` (may be null) is what replaces the rule in the same batch: clients that are bound to
// an endpoint which it keeps stay bound.
void remove_service(NftBatch& batch, const ServiceRule& rule, const ServiceRule* successor);
void add_hairpins(NftBatch& batch, const std::vector<std::string>& addresses);
void remove_hairpins(NftBatch& batch, const std::vector<std::string>& addresses);

}  // namespace skiff::net
