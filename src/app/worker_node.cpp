#include <skiff/base/log.h>
#include <skiff/base/random.h>
#include <skiff/base/version.h>
#include <skiff/client/uplink.h>

#include "app/addresses.h"
#include "app/join.h"
#include "app/node_parts.h"
#include "app/worker_task.h"

namespace skiff::app {

namespace {

// The cluster's settings come from its master, whatever this board was told.
Config with_cluster_settings(Config config, const ClusterSettings& cluster) {
  config.cluster_cidr = cluster.cluster_cidr;
  config.service_cidr = cluster.service_cidr;
  config.cluster_dns = cluster.cluster_dns;
  config.cluster_domain = cluster.cluster_domain;
  return config;
}

std::vector<client::MasterAddress> addresses_of(const Config& config) {
  std::vector<client::MasterAddress> masters;
  for (const auto& server : config.servers) masters.push_back({server.host, server.port});
  return masters;
}

class WorkerNode final : public NodeParts {
 public:
  WorkerNode(const Config& config, Threads& threads, FailureCallback on_failure)
      : config_(config),
        threads_(threads),
        on_failure_(std::move(on_failure)),
        background_(*threads.io) {}

  base::Task<base::Status> start() override {
    auto joined =
        co_await ensure_joined(config_, *threads_.io, base::secure_random(), stopping_.token());
    if (stopping_.token().is_cancelled()) co_return base::Status::ok();
    if (!joined) co_return joined.status();
    SKIFF_CO_RETURN_IF_ERROR(open(*joined));
    background_.spawn(uplink_->run(background_.token()));
    background_.spawn(keep_credentials(config_, *threads_.io, std::move(*joined), tls_,
                                       authorities_changed_, background_.token()));
    running_.start(*worker_, threads_, stopping_.token(), on_failure_);
    base::log_info(
        "skiff works",
        {{"version", base::kGitVersion}, {"node", identity_.name}, {"address", identity_.ip}});
    co_return base::Status::ok();
  }

  base::Task<void> stop() override {
    stopping_.cancel();
    co_await running_.join();
    // After the agent, whose last words go through it.
    background_.cancel();
    co_await background_.join();
  }

  base::Status close() override { return base::Status::ok(); }

 private:
  base::Status open(const JoinedNode& node) {
    SKIFF_ASSIGN_OR_RETURN(std::string ip, find_node_ip(config_.node_ip));
    identity_ = {node.name, std::move(ip)};
    cluster_config_ = with_cluster_settings(config_, node.cluster);
    http::TlsClientOptions tls;
    tls.ca_pem = node.ca_pem;
    tls.certificate_pem = node.certificate_pem;
    tls.key_pem = node.key_pem;
    tls.now = [] { return loop::real_clock().now(); };
    SKIFF_ASSIGN_OR_RETURN(tls_, http::make_tls_client_context(tls));
    client::UplinkOptions uplink;
    uplink.loop = threads_.io.get();
    uplink.random = &base::secure_random();
    uplink.node_name = identity_.name;
    uplink.masters = addresses_of(config_);
    uplink.tls = tls_;
    uplink.node_session = client::make_node_session(*threads_.io, identity_.name,
                                                    [this] { authorities_changed_.notify(); });
    uplink_ = client::make_uplink(std::move(uplink));
    MasterApart apart;
    apart.renews_lease = true;
    apart.on_new_address = [this] { threads_.io->post([this] { uplink_->reconnect(); }); };
    SKIFF_ASSIGN_OR_RETURN(worker_, Worker::open(cluster_config_, identity_, threads_,
                                                 uplink_->client(), std::move(apart)));
    uplink_->set_local(&worker_->node_channel());
    return base::Status::ok();
  }

  const Config& config_;
  Threads& threads_;
  FailureCallback on_failure_;
  NodeIdentity identity_;
  Config cluster_config_;
  std::shared_ptr<http::TlsContext> tls_;
  base::Notifier authorities_changed_;  // in the words of a master
  std::unique_ptr<client::Uplink> uplink_;
  std::unique_ptr<Worker> worker_;
  base::CancelSource stopping_;
  base::TaskScope background_;  // uplink and renewal; io loop
  WorkerTask running_;
};

}  // namespace

OpenedParts open_worker_node(const Config& config, Threads& threads, FailureCallback on_failure) {
  std::unique_ptr<NodeParts> node =
      std::make_unique<WorkerNode>(config, threads, std::move(on_failure));
  return node;
}

}  // namespace skiff::app
