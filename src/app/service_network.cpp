#include "app/service_network.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include "app/limits.h"

namespace skiff::app {

// Remembers which pod has which address, and tells the proxy when one is free again. Thread-safe.
class ServiceNetwork::WatchedNetwork final : public net::PodNetwork {
 public:
  WatchedNetwork(ServiceNetwork& owner, std::unique_ptr<net::PodNetwork> network)
      : owner_(owner), network_(std::move(network)) {
    for (const auto& [uid, address] : network_->attached()) remember(uid, address.ipv4);
  }

  base::Result<net::PodAddress> attach(const std::string& pod_uid,
                                       const std::string& network_namespace_path) override {
    auto address = network_->attach(pod_uid, network_namespace_path);
    if (address) remember(pod_uid, address->ipv4);
    return address;
  }

  base::Status detach(const std::string& pod_uid) override {
    std::string address = owner_.address_of(pod_uid);
    auto detached = network_->detach(pod_uid);
    if (detached && !address.empty()) forget(pod_uid, address);
    return detached;
  }

  std::vector<std::pair<std::string, net::PodAddress>> attached() override {
    return network_->attached();
  }

 private:
  void remember(const std::string& pod_uid, const std::string& address) {
    std::lock_guard lock(owner_.mutex_);
    owner_.addresses_[pod_uid] = address;
  }
  void forget(const std::string& pod_uid, const std::string& address) {
    {
      std::lock_guard lock(owner_.mutex_);
      owner_.addresses_.erase(pod_uid);
    }
    owner_.threads_.agent->loop().post([&owner = owner_, address] {
      if (owner.proxy_) owner.proxy_->forget_address(address);
    });
  }

  ServiceNetwork& owner_;
  std::unique_ptr<net::PodNetwork> network_;
};

ServiceNetwork::ServiceNetwork(const Config& config, const NodeIdentity& identity, Threads& threads,
                               client::Client& client)
    : config_(config),
      node_name_(identity.name),
      threads_(threads),
      endpoint_slices_(client::make_informer(client, threads.agent->loop(),
                                             client::resources::endpoint_slices, {}, {})) {}

base::Result<std::unique_ptr<net::PodNetwork>> ServiceNetwork::make_network(
    const std::string& pod_cidr) {
  if (!rules_) {
    auto rules = net::make_nftables_rules(rules_table(config_));
    if (rules)
      rules_ = std::move(*rules);
    else
      base::log_error("Services do not work on this node", {{"error", rules.status()}});
  }
  if (auto drops = net::find_forward_drops(); drops && !drops->empty())
    base::log_warning(
        "others drop what pods send beyond this host or to each other; 'skiff check' "
        "says what to do",
        {{"chains", base::join(*drops, ", ")}});
  net::PodNetworkOptions options;
  options.runtime_dir = config_.runtime_dir;
  options.pod_cidr = pod_cidr;
  options.link_prefix = link_prefix(config_);
  options.routes_loopback = rules_ != nullptr;
  SKIFF_ASSIGN_OR_RETURN(auto network, net::make_pod_network(options));
  return std::unique_ptr<net::PodNetwork>(
      std::make_unique<WatchedNetwork>(*this, std::move(network)));
}

std::string ServiceNetwork::address_of(const std::string& pod_uid) const {
  std::lock_guard lock(mutex_);
  auto found = addresses_.find(pod_uid);
  return found == addresses_.end() ? std::string() : found->second;
}

void ServiceNetwork::attach_to(agent::Agent& agent) {
  view_ = agent::make_service_view(agent.services(), *endpoint_slices_);
  agent.set_before_stop([this](std::string pod_uid) { return before_stop(std::move(pod_uid)); });
  agent.set_host_ports_callback([this](std::string pod_uid, std::vector<net::ServiceRule> rules) {
    if (proxy_) proxy_->set_host_ports(pod_uid, rules);
    if (rules.empty())
      host_ports_.erase(pod_uid);
    else
      host_ports_[std::move(pod_uid)] = std::move(rules);
  });
  agent.set_pod_cidr_callback([this](std::string pod_cidr) {
    pod_cidr_ = std::move(pod_cidr);
    pod_cidr_known_.notify();
  });
}

base::Task<void> ServiceNetwork::before_stop(std::string pod_uid) {
  std::string address = address_of(pod_uid);
  if (address.empty() || !proxy_ || !proxy_->has_applied()) co_return;
  // A pod is stopped in the end, whatever the rules do.
  auto limited = base::CancelSource::child_of(stopping_.token());
  loop::Loop& loop = threads_.agent->loop();
  base::TimerId timer = loop.start_timer(kRulesBeforeStopMax, [limited] { limited.cancel(); });
  auto left = proxy_->begin_termination(address, limited.token());
  co_await std::move(left);
  loop.cancel_timer(timer);
}

base::Task<void> ServiceNetwork::run_proxy(base::CancelToken cancel) {
  while (pod_cidr_.empty()) {
    bool known = co_await pod_cidr_known_.wait(cancel);
    if (!known) co_return;
  }
  if (!rules_) co_return;
  agent::ServiceProxyOptions options;
  options.node_name = node_name_;
  options.cluster_dns = config_.cluster_dns;
  options.pod_cidr = pod_cidr_;
  options.cluster_cidr = config_.cluster_cidr;
  options.service_cidr = config_.service_cidr;
  proxy_ = agent::make_service_proxy(*view_, *rules_, *threads_.blocking, threads_.agent->loop(),
                                     std::move(options));
  for (const auto& [pod_uid, rules] : host_ports_) proxy_->set_host_ports(pod_uid, rules);
  co_await proxy_->run(cancel);
}

base::Task<void> ServiceNetwork::run(base::CancelToken cancel) {
  base::CancelCallback on_cancel(cancel, [stopping = stopping_] { stopping.cancel(); });
  loop::Loop& loop = threads_.agent->loop();
  agent::ClusterDnsOptions dns;
  dns.cluster_domain = config_.cluster_domain;
  dns.service_cidr = config_.service_cidr;
  dns.cluster_cidr = config_.cluster_cidr;
  dns.server.addresses = {config_.cluster_dns};
  dns_ = agent::make_cluster_dns(*view_, loop, base::secure_random(), std::move(dns));
  base::TaskScope scope(loop);
  scope.spawn(endpoint_slices_->run(cancel));
  scope.spawn(run_proxy(cancel));
  scope.spawn(dns_->run(cancel));
  co_await scope.join();
}

}  // namespace skiff::app
