#include <skiff/base/log.h>
#include <skiff/net/packet_rules.h>
#include <skiff/net/pod_network.h>
#include <skiff/runtime/image.h>
#include <skiff/runtime/runtime.h>
#include <skiff/sys/cgroups.h>

#include "app/bootstrap.h"
#include "app/commands/command_list.h"

#include <cstdio>

namespace skiff::app {

namespace {

// Every step is tried; the first failure is reported.
class Reset {
 public:
  explicit Reset(const Config& config) : config_(config) {}

  base::Status run() {
    note(end_pods());
    note(remove_links());
    auto rules = net::make_nftables_rules(rules_table(config_));
    if (rules) note((*rules)->clear());
    net::HostNetworkOptions host{config_.service_cidr, {}, config_.cluster_dns};
    note(net::release_host(host));
    note(sys::make_cgroups()->remove(config_.cgroup_parent));
    return first_;
  }

 private:
  void note(const base::Status& status) {
    if (first_.is_ok()) first_ = status;
  }

  base::Status end_pods() {
    runtime::ImageServiceOptions images_options;
    images_options.data_dir = config_.data_dir;
    SKIFF_ASSIGN_OR_RETURN(auto images, runtime::make_image_service(images_options));
    runtime::RuntimeOptions options;
    options.data_dir = config_.data_dir;
    options.runtime_dir = config_.runtime_dir;
    options.cgroup_parent = config_.cgroup_parent;
    options.oci_runtime = config_.runtime;
    SKIFF_ASSIGN_OR_RETURN(auto runtime, runtime::make_runtime(options, *images));
    runtime->set_exit_callback([](const std::string&, const std::string&) {});
    SKIFF_ASSIGN_OR_RETURN(auto adopted, runtime->adopt());
    for (const auto& pod : adopted.pods) note(runtime->remove_pod(pod.uid));
    std::printf("ended %zu pods\n", adopted.pods.size());
    return base::Status::ok();
  }

  base::Status remove_links() {
    // Any network will do: only what is allocated is read.
    net::PodNetworkOptions options{config_.runtime_dir, config_.cluster_cidr, link_prefix(config_)};
    SKIFF_ASSIGN_OR_RETURN(auto network, net::make_pod_network(options));
    for (const auto& [uid, address] : network->attached()) note(network->detach(uid));
    return base::Status::ok();
  }

  const Config& config_;
  base::Status first_;
};

}  // namespace

int run_reset(const Invocation& invocation) {
  auto config = config_of(invocation);
  if (!config) return fail(config.status());
  base::set_log(config->log_level, config->log_format);
  auto done = Reset(*config).run();
  return done ? 0 : fail(done);
}

}  // namespace skiff::app
