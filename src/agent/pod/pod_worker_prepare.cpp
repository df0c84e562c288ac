// The steps of step_list: volumes, sandbox, network, files in /etc.
#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>
#include <skiff/sys/files.h>

#include "agent/limits.h"
#include "agent/pod/config_cache.h"
#include "agent/pod/pod_worker.h"
#include "agent/proxy/plan_host_ports.h"
#include "agent/volumes/token_cache.h"

#include <algorithm>

namespace skiff::agent {

using client::EventType;

base::Task<void> PodWorker::undo_nothing() { co_return; }

base::Task<base::Status> PodWorker::step_volumes() {
  std::string space(record_.pod["metadata"]["namespace"].as_string());
  auto fetch = context_.configs->fetch(space, plan_config_names(record_.pod), starting_.token());
  auto sources = co_await std::move(fetch);
  if (!sources) co_return sources.status();
  auto ask = context_.tokens->fetch(record_.pod, plan_token_keys(record_.pod));
  auto tokens = co_await std::move(ask);
  base::Result<VolumePaths> paths = VolumePaths{};
  if (tokens) {
    tokens_refresh_at_ = tokens->refresh_at;
    auto input_sources = std::make_shared<ConfigSources>(std::move(*sources));
    auto input_tokens = std::make_shared<TokenCache::Tokens>(std::move(*tokens));
    codec::Json pod = record_.pod;
    auto set_up = [folders = folders(), pod = std::move(pod), ip = record_.pod_ip,
                   node = context_.node, input_sources, input_tokens, unique = unique_name()] {
      return set_up_volumes(folders, {pod, ip, node, *input_sources, input_tokens->values}, unique);
    };
    paths = co_await loop::run_blocking(*context_.options.work, std::move(set_up));
  } else {
    paths = tokens.status().with_context(
        "MountVolume.SetUp failed for volume of a service account token");
  }
  if (!paths) {
    if (!starting_.is_cancelled())
      event(EventType::warning, "FailedMount", std::string(paths.status().message()));
    co_return paths.status();
  }
  volume_paths_ = std::move(*paths);
  co_return base::Status();
}

base::Task<void> PodWorker::keep_volumes_fresh() {
  bool due = tokens_refresh_at_ && *tokens_refresh_at_ <= context_.monotonic();
  bool retry = !volumes_ready_ && retry_.not_before <= context_.monotonic();
  if (!config_changed_ && !due && !retry) co_return;
  config_changed_ = false;
  auto status = co_await step_volumes();
  if (status.is_ok()) {
    volumes_ready_ = true;
    co_return;
  }
  if (due) tokens_refresh_at_ = context_.monotonic() + kTokenRetry;
  retry_.not_before = context_.monotonic() + kConfigRetry;
}

base::Task<base::Status> PodWorker::step_sandbox() {
  auto options =
      plan_pod_options(record_.pod, context_.node.node_name, context_.dns.cluster_domain);
  base::Result<runtime::PodSandbox> sandbox = runtime::PodSandbox{};
  if (options) {
    auto* runtime = context_.options.runtime;
    auto create = [runtime, options = std::move(*options)]() -> base::Result<runtime::PodSandbox> {
      auto made = runtime->create_pod(options);
      if (made || made.code() != base::Code::already_exists) return made;
      // Of before the host went down.
      SKIFF_RETURN_IF_ERROR(runtime->remove_pod(options.uid));
      return runtime->create_pod(options);
    };
    sandbox = co_await loop::run_blocking(*context_.options.work, std::move(create));
  } else {
    sandbox = options.status();
  }
  if (sandbox) {
    for (auto& container : record_.containers)
      container.is_of_lost_sandbox = container.current.has_value();
    co_return base::Status();
  }
  event(EventType::warning, "FailedCreatePodSandBox",
        base::concat("Failed to create pod sandbox: ", sandbox.status().message()));
  co_return sandbox.status();
}

base::Task<void> PodWorker::undo_sandbox() {
  auto* runtime = context_.options.runtime;
  std::string uid = uid_;
  auto remove = [runtime, uid] { return runtime->remove_pod(uid); };
  auto status = co_await loop::run_blocking(*context_.options.work, std::move(remove));
  if (!status.is_ok())
    base::log_warning("a sandbox is not removed", {{"uid", uid_}, {"error", status}});
}

base::Task<base::Status> PodWorker::step_network() {
  if (is_host_network()) {
    record_.pod_ip = context_.node.node_ip;
    co_return base::Status();
  }
  base::Result<net::PodAddress> address =
      base::unavailable("the pod network is not ready: the node has no podCIDR yet");
  if (hooks_.network != nullptr) {
    auto* runtime = context_.options.runtime;
    auto* network = hooks_.network;
    std::string uid = uid_;
    auto attach = [runtime, network, uid]() -> base::Result<net::PodAddress> {
      SKIFF_ASSIGN_OR_RETURN(auto sandbox, runtime->pod(uid));
      return network->attach(uid, sandbox.network_namespace_path);
    };
    address = co_await loop::run_blocking(*context_.options.work, std::move(attach));
  }
  if (!address) {
    event(EventType::warning, "FailedCreatePodSandBox",
          base::concat("Failed to create pod sandbox: failed to set up pod network: ",
                       address.status().message()));
    co_return address.status();
  }
  record_.pod_ip = address->ipv4;
  publish_host_ports();
  co_return base::Status();
}

void PodWorker::publish_host_ports() {
  if (!hooks_.host_ports) return;
  auto rules = plan_host_ports(record_.pod, record_.pod_ip);
  if (rules.empty() && !has_host_ports_) return;
  has_host_ports_ = !rules.empty();
  hooks_.host_ports(uid_, std::move(rules));
}

base::Task<void> PodWorker::undo_network() {
  record_.pod_ip.clear();
  publish_host_ports();
  if (is_host_network() || hooks_.network == nullptr) co_return;
  auto* network = hooks_.network;
  std::string uid = uid_;
  auto detach = [network, uid] { return network->detach(uid); };
  auto status = co_await loop::run_blocking(*context_.options.work, std::move(detach));
  if (!status.is_ok())
    base::log_warning("a pod's link is not removed", {{"uid", uid_}, {"error", status}});
}

base::Task<base::Status> PodWorker::step_etc_files() {
  std::string hostname = plan_hostname(record_.pod, context_.node.node_name);
  std::string domain = plan_domain(record_.pod, context_.dns.cluster_domain);
  auto write = [folder = context_.pod_dir(uid_) + "/etc", pod = record_.pod, ip = record_.pod_ip,
                hostname, domain, dns = context_.dns, host_network = is_host_network(),
                host_hosts = context_.options.host_hosts,
                host_resolv = context_.options.host_resolv_conf,
                resolved = context_.options.host_resolved_conf]() mutable -> base::Status {
    constexpr std::size_t kEtcFileBytesMax = 1u << 20;
    SKIFF_RETURN_IF_ERROR(sys::make_folders(folder));
    auto resolv = sys::read_file(host_resolv, kEtcFileBytesMax);
    if (resolv) dns.host_resolv_conf = std::move(*resolv);
    if (names_only_this_host(dns.host_resolv_conf))
      if (auto behind = sys::read_file(resolved, kEtcFileBytesMax))
        dns.host_resolv_conf = std::move(*behind);
    std::string hosts;
    if (host_network) {
      auto text = sys::read_file(host_hosts, kEtcFileBytesMax);
      hosts = plan_host_network_hosts_file(pod, text ? *text : std::string());
    } else {
      hosts = plan_hosts_file(pod, ip, hostname, domain);
    }
    auto put = [&folder](const char* name, const std::string& text) {
      return sys::write_file_atomic(folder + "/" + name, text, 0644, sys::Sync::no);
    };
    SKIFF_RETURN_IF_ERROR(put("hosts", hosts));
    SKIFF_RETURN_IF_ERROR(put("hostname", hostname + "\n"));
    return put("resolv.conf", plan_resolv_conf(pod, dns));
  };
  auto status = co_await loop::run_blocking(*context_.options.work, std::move(write));
  if (!status.is_ok())
    event(EventType::warning, "FailedCreatePodSandBox",
          base::concat("Failed to create pod sandbox: ", status.message()));
  co_return status;
}

}  // namespace skiff::agent
