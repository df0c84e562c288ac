// The runtime's options for pods and containers out of the API's spec. Pure.
#pragma once

#include <skiff/base/result.h>
#include <skiff/codec/json.h>
#include <skiff/runtime/runtime.h>

#include "agent/container/plan_env.h"

#include <string>
#include <string_view>
#include <vector>

namespace skiff::agent {

// requests and limits of a container; `memory_capacity_bytes` of the node decides oom_score_adj.
runtime::Resources plan_resources(const codec::Json& pod, const codec::Json& container,
                                  std::int64_t memory_capacity_bytes);

// "guaranteed": "pod<uid>"; else "burstable/pod<uid>" or "besteffort/pod<uid>".
std::string plan_cgroup_parent(const codec::Json& pod);

// The host name in the pod: spec.hostname or the pod's name, cut to 63 bytes; of the node with
// hostNetwork. The domain is "<subdomain>.<namespace>.svc.<cluster domain>" or empty.
std::string plan_hostname(const codec::Json& pod, std::string_view node_name);
std::string plan_domain(const codec::Json& pod, std::string_view cluster_domain);

// Errors: unimplemented for what this node does not have (user namespaces, Windows, …), with the
// sentence for the event.
base::Result<runtime::PodOptions> plan_pod_options(const codec::Json& pod,
                                                   std::string_view node_name,
                                                   std::string_view cluster_domain);

// Fills the members of `options` that come from pod and container securityContext, workingDir,
// tty, stdin and resources. Errors: invalid_argument, unimplemented.
base::Status plan_container_security(const codec::Json& pod, const codec::Json& container,
                                     runtime::ContainerOptions& options);

// /etc/hosts of a pod on the pod network.
std::string plan_hosts_file(const codec::Json& pod, const std::string& pod_ip,
                            std::string_view hostname, std::string_view domain);
// /etc/hosts of a pod with hostNetwork: the node's, with hostAliases added.
std::string plan_host_network_hosts_file(const codec::Json& pod, std::string_view host_file);

struct DnsFacts {
  std::vector<std::string> cluster_dns;
  std::string cluster_domain;
  std::string host_resolv_conf;  // text
};
// Whether a resolv.conf has nameservers, all of them on the host itself.
bool names_only_this_host(std::string_view resolv_conf);
// /etc/resolv.conf by dnsPolicy and dnsConfig.
std::string plan_resolv_conf(const codec::Json& pod, const DnsFacts& facts);

}  // namespace skiff::agent
