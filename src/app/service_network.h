// Services on this node: packet rules and DNS, from the informers of the agent; and the pod network
// with the hooks between the two.
#pragma once

#include <skiff/agent/agent.h>
#include <skiff/agent/proxy.h>
#include <skiff/net/packet_rules.h>
#include <skiff/net/pod_network.h>

#include "app/bootstrap.h"
#include "app/threads.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace skiff::app {

// Loop-only (the agent's), except make_network() and what it returns.
class ServiceNetwork {
 public:
  ServiceNetwork(const Config& config, const NodeIdentity& identity, Threads& threads,
                 client::Client& client);

  // For AgentOptions::make_network: the pod network, watched for addresses that come and go, and
  // the packet rules before it. Before the agent tells the podCIDR, not twice at once.
  base::Result<std::unique_ptr<net::PodNetwork>> make_network(const std::string& pod_cidr);
  // Sets the agent's hooks. Before the agent runs; the agent outlives this object.
  void attach_to(agent::Agent& agent);
  // Until cancelled; the rules stay.
  base::Task<void> run(base::CancelToken cancel);

 private:
  class WatchedNetwork;
  base::Task<void> before_stop(std::string pod_uid);
  base::Task<void> run_proxy(base::CancelToken cancel);
  std::string address_of(const std::string& pod_uid) const;

  const Config& config_;
  const std::string node_name_;
  Threads& threads_;
  std::unique_ptr<client::Informer> endpoint_slices_;
  std::unique_ptr<agent::ServiceView> view_;
  std::unique_ptr<net::PacketRules> rules_;  // null without nftables
  std::unique_ptr<agent::ServiceProxy> proxy_;
  std::unique_ptr<agent::ClusterDns> dns_;
  std::map<std::string, std::vector<net::ServiceRule>> host_ports_;  // by pod uid
  std::string pod_cidr_;
  base::Notifier pod_cidr_known_;
  base::CancelSource stopping_;

  mutable std::mutex mutex_;
  std::map<std::string, std::string> addresses_;  // under mutex_: pod uid to IPv4
};

}  // namespace skiff::app
