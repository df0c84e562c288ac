// The node's share of Services: packet rules and the cluster's DNS records, both from the same two
// informers.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/clock.h>
#include <skiff/base/random.h>
#include <skiff/client/informer.h>
#include <skiff/loop/loop.h>
#include <skiff/net/dns.h>
#include <skiff/net/packet_rules.h>

#include <memory>
#include <string>
#include <vector>

namespace skiff::agent {

// What this node knows of Services and EndpointSlices, in compact form. Loop-only.
class ServiceView {
 public:
  virtual ~ServiceView() = default;
  virtual bool has_synced() const = 0;
};
// Registers handlers: call it before the informers run. The caller runs them on the loop; they
// outlive the view.
std::unique_ptr<ServiceView> make_service_view(client::Informer& services,
                                               client::Informer& endpoint_slices);

struct ServiceProxyOptions {
  std::string node_name;
  std::string cluster_dns;  // answered on this node itself: never translated
  std::string pod_cidr;     // of this node
  std::string cluster_cidr;
  std::string service_cidr;
};

// Keeps the packet rules as the Services are. Loop-only.
class ServiceProxy {
 public:
  virtual ~ServiceProxy() = default;
  // Applies what changed, as one set, whenever something did; tries again with back-off. Returns
  // when cancelled; the rules stay (containers go on without us).
  virtual base::Task<void> run(base::CancelToken cancel) = 0;
  // The first complete set is in the kernel.
  virtual bool has_applied() const = 0;
  // Takes the address of a pod that is about to be stopped out of the rules (unless it is the last
  // that still serves). Returns true when the rules hold, false when cancelled.
  virtual base::Task<bool> begin_termination(std::string pod_ip, base::CancelToken cancel) = 0;
  // The hostPorts of a pod, as plan_host_ports has them; none when it goes. What another pod or a
  // Service has already is left out.
  virtual void set_host_ports(const std::string& pod_uid, std::vector<net::ServiceRule> rules) = 0;
  // The address is free for another pod.
  virtual void forget_address(const std::string& pod_ip) = 0;
};
// The view and the rules outlive the proxy; `work_pool` runs what blocks.
std::unique_ptr<ServiceProxy> make_service_proxy(ServiceView& view, net::PacketRules& rules,
                                                 base::Executor& work_pool, base::Timers& timers,
                                                 ServiceProxyOptions options);

struct ClusterDnsOptions {
  std::string cluster_domain = "cluster.local";
  std::string service_cidr;  // reverse names of these ranges are never asked elsewhere
  std::string cluster_cidr;
  net::DnsOptions server;  // addresses, port, resolv_conf; the zone is set from cluster_domain
};

// Answers for the cluster domain by the rules of kubernetes/dns (version 1.1.0). Loop-only.
class ClusterDns {
 public:
  virtual ~ClusterDns() = default;
  // Binds (tries again until the addresses are there), serves, and returns when cancelled.
  virtual base::Task<void> run(base::CancelToken cancel) = 0;
  virtual bool is_serving() const = 0;
  virtual net::DnsSource& source() = 0;
};
// The view outlives the object.
std::unique_ptr<ClusterDns> make_cluster_dns(ServiceView& view, loop::Loop& loop,
                                             base::Random& random, ClusterDnsOptions options);

}  // namespace skiff::agent
