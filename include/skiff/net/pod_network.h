// Pod addresses and links: a routed veth pair per pod, by netlink. No bridge, no CNI binary.
#pragma once

#include <skiff/base/result.h>

#include <memory>
#include <string>
#include <vector>

namespace skiff::net {

struct PodAddress {
  std::string ipv4;            // "10.42.0.7"
  std::string interface_name;  // on the host
};

// Calls may block (netlink): work pool. Thread-safe.
class PodNetwork {
 public:
  virtual ~PodNetwork() = default;
  // Makes eth0 in the namespace with a /32, a link-local gateway, a default route, a host route,
  // and brings lo up. Idempotent for one pod: the same address again. The allocation is in the
  // runtime folder before it is used, so that it survives skiff but costs no write to a card.
  virtual base::Result<PodAddress> attach(const std::string& pod_uid,
                                          const std::string& network_namespace_path) = 0;
  // Removes link and route and frees the address; ok when there is nothing.
  virtual base::Status detach(const std::string& pod_uid) = 0;
  // What is attached, from the allocations: for adoption and for cleaning up after pods that are
  // gone.
  virtual std::vector<std::pair<std::string, PodAddress>> attached() = 0;
};

struct PodNetworkOptions {
  std::string runtime_dir;  // allocations: <runtime-dir>/network
  std::string pod_cidr;     // of this node, "10.42.0.0/24"
  std::string link_prefix;  // of host interfaces and rule tables, derived from the cgroup parent
  // Whether links carry addresses of 127.0.0.0/8, so that node ports and hostPorts answer on
  // 127.0.0.1. Only beside PacketRules, which keep the rest of it from pods.
  bool routes_loopback = false;
};
// Service addresses as this host's own processes reach them: a route for the whole network (there
// may be no default route), and the cluster's DNS address on lo. Idempotent. Blocks.
struct HostNetworkOptions {
  std::string service_cidr;
  std::string node_ip;
  std::string cluster_dns;  // empty: none
};
base::Status prepare_host(const HostNetworkOptions& options);
// Takes away what prepare_host() made.
base::Status release_host(const HostNetworkOptions& options);

base::Result<std::unique_ptr<PodNetwork>> make_pod_network(const PodNetworkOptions& options);

}  // namespace skiff::net
