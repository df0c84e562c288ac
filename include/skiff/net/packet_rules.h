// Service translation and masquerading in nftables tables that are ours alone. Mechanism only:
// agent/proxy decides what stands in them.
#pragma once

#include <skiff/base/result.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace skiff::net {

enum class Protocol : unsigned char { tcp, udp };

struct RuleEndpoint {
  std::string address;
  std::uint16_t port = 0;
  bool operator==(const RuleEndpoint&) const = default;
};

// One port of one Service.
struct ServiceRule {
  std::string name;  // "default/web:http", for comments and metrics
  Protocol protocol = Protocol::tcp;
  std::string cluster_ip;  // empty: node port only
  std::uint16_t port = 0;
  std::uint16_t node_port = 0;  // 0 = none
  std::vector<std::string> external_ips;
  std::vector<RuleEndpoint> endpoints;  // none: connections are refused
  int affinity_seconds = 0;             // ClientIP affinity; 0 = none
  bool local_only = false;              // externalTrafficPolicy Local
  bool operator==(const ServiceRule&) const = default;
};

struct RuleSet {
  std::string pod_cidr;  // of the node: traffic that leaves it is masqueraded
  std::string cluster_cidr;
  std::string service_cidr;
  std::vector<ServiceRule> services;
};

// Calls may block: work pool. Thread-safe.
class PacketRules {
 public:
  virtual ~PacketRules() = default;
  // Makes the kernel hold exactly `rules`, in one transaction, changing only what differs from
  // the last call. Connections of removed UDP endpoints are forgotten (conntrack).
  virtual base::Status apply(const RuleSet& rules) = 0;
  // Deletes the tables.
  virtual base::Status clear() = 0;
};
// `table_name` is ours alone. From the return on, and until clear(), others than this host reach
// 127.0.0.0/8 by translated connections only. Rules of an earlier process stay until apply().
// Errors: unimplemented when the kernel has no nftables. Blocks.
base::Result<std::unique_ptr<PacketRules>> make_nftables_rules(const std::string& table_name);

// Chains of others, as "ip filter FORWARD", that drop what is forwarded unless a rule of theirs
// takes it: Docker and firewalls leave such, and no rule of ours can let pods through them. Blocks.
base::Result<std::vector<std::string>> find_forward_drops();

}  // namespace skiff::net
