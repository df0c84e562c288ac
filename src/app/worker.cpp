#include "app/worker.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/base/version.h>
#include <skiff/loop/work_pool.h>
#include <skiff/net/address_watch.h>
#include <skiff/sys/features.h>

#include "app/addresses.h"

#include <utility>

namespace skiff::app {

namespace {

base::Status check_runtime(const Config& config) {
  if (!sys::find_program(config.runtime).empty()) return base::Status::ok();
  return base::not_found(base::concat("the OCI runtime ", base::quote(config.runtime),
                                      " is not in PATH; install it ('apt install runc') or name "
                                      "another with --runtime"));
}

std::vector<codec::Json> taints_of(const Config& config) {
  std::vector<codec::Json> taints;
  for (const auto& taint : config.node_taints) {
    codec::Json json = codec::Json::object({{"key", taint.key}, {"effect", taint.effect}});
    if (!taint.value.empty()) json.set("value", taint.value);
    taints.push_back(std::move(json));
  }
  return taints;
}

}  // namespace

base::Result<std::unique_ptr<Worker>> Worker::open(const Config& config,
                                                   const NodeIdentity& identity, Threads& threads,
                                                   client::Client& client, MasterApart apart) {
  SKIFF_RETURN_IF_ERROR(check_runtime(config));
  std::unique_ptr<Worker> worker(new Worker(config, identity, threads, client));
  loop::Loop& loop = threads.agent->loop();
  runtime::ImageServiceOptions images;
  images.data_dir = config.data_dir;
  images.registries_file = std::string(kRegistriesFile);
  SKIFF_ASSIGN_OR_RETURN(worker->images_, runtime::make_image_service(images));
  runtime::RuntimeOptions runtime;
  runtime.data_dir = config.data_dir;
  runtime.runtime_dir = config.runtime_dir;
  runtime.cgroup_parent = config.cgroup_parent;
  runtime.oci_runtime = config.runtime;
  SKIFF_ASSIGN_OR_RETURN(worker->runtime_, runtime::make_runtime(runtime, *worker->images_));
  worker->recorder_ = client::make_recorder(client, loop, loop, "kubelet", identity.name);
  worker->http_ = http::make_async_client(loop);

  agent::AgentOptions options;
  options.executor = &loop;
  options.timers = &loop;
  options.loop = &loop;
  options.work = threads.blocking.get();
  options.pulls = threads.blocking.get();
  options.client = &client;
  options.runtime = worker->runtime_.get();
  options.images = worker->images_.get();
  options.make_network = [services = &worker->services_](const std::string& pod_cidr) {
    return services->make_network(pod_cidr);
  };
  options.recorder = worker->recorder_.get();
  options.http = worker->http_.get();
  options.random = &base::secure_random();
  options.node_name = identity.name;
  options.node_labels = config.node_labels;
  options.node_taints = taints_of(config);
  options.node_ip = identity.ip;
  options.master_renews_lease = apart.renews_lease;
  worker->on_new_address_ = std::move(apart.on_new_address);
  options.data_dir = config.data_dir;
  options.runtime_dir = config.runtime_dir;
  options.cgroup_parent = config.cgroup_parent;
  options.cluster_dns = {config.cluster_dns};
  options.cluster_domain = config.cluster_domain;
  options.version = std::string(base::kGitVersion);
  options.runtime_version = base::concat("skiff://", base::kGitVersion.substr(1));
  worker->agent_ = agent::make_agent(std::move(options));
  worker->services_.attach_to(*worker->agent_);
  return worker;
}

base::Task<base::Status> Worker::prepare_host() const {
  net::HostNetworkOptions host{config_.service_cidr, node_ip_, config_.cluster_dns};
  auto prepare = [host] { return net::prepare_host(host); };
  auto prepared = co_await loop::run_blocking(*threads_.blocking, prepare);
  co_return prepared.with_context("host network");
}

base::Task<void> Worker::use_address() {
  auto found = find_node_ip(config_.node_ip);
  // Between two addresses there may be none, or none that was asked for.
  if (!found || *found == kNoNodeAddress) co_return;
  // The route to Services has gone with its source address, even when that is back.
  std::string before = std::exchange(node_ip_, *found);
  auto prepared = co_await prepare_host();
  if (!prepared) base::log_warning("Services have no route", {{"error", prepared}});
  if (before == node_ip_) co_return;
  base::log_info("the node has another address", {{"before", before}, {"now", node_ip_}});
  agent_->set_node_ip(node_ip_);
  if (on_new_address_) on_new_address_();
}

base::Task<void> Worker::follow_address(base::CancelToken cancel) {
  std::function<base::Task<void>()> on_change = [this] { return use_address(); };
  auto watching = net::watch_addresses(threads_.agent->loop(), std::move(on_change), cancel);
  auto ended = co_await std::move(watching);
  if (!ended) base::log_warning("the node's address is not followed", {{"error", ended}});
}

base::Task<base::Status> Worker::run(base::CancelToken cancel) {
  auto prepared = co_await prepare_host();
  if (!prepared) co_return prepared;
  base::TaskScope scope(threads_.agent->loop());
  scope.spawn(services_.run(cancel));
  scope.spawn(follow_address(cancel));
  auto ended = co_await agent_->run(cancel);
  co_await scope.join();
  co_return ended;
}

}  // namespace skiff::app
