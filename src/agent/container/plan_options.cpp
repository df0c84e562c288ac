#include "agent/container/plan_options.h"

#include <skiff/api/quantity.h>
#include <skiff/base/strings.h>

#include "agent/container/plan_pod_resources.h"
#include "agent/pod/plan_admission.h"
#include "agent/pod/plan_status.h"

#include <algorithm>

namespace skiff::agent {

namespace {

// What containerd lets every pod do on its own network: serve ports below 1024 and ping, as
// anybody.
constexpr std::pair<std::string_view, std::string_view> kNetworkSysctls[] = {
    {"net.ipv4.ip_unprivileged_port_start", "0"}, {"net.ipv4.ping_group_range", "0 2147483647"}};

std::optional<api::Quantity> quantity_of(const codec::Json& value) {
  if (value.empty()) return std::nullopt;
  auto parsed = api::Quantity::parse(value.as_string());
  if (!parsed || *parsed == api::Quantity()) return std::nullopt;
  return *parsed;
}

int oom_score_adj(const codec::Json& pod, const codec::Json& container,
                  std::int64_t memory_capacity_bytes) {
  std::string_view priority = pod["spec"]["priorityClassName"].as_string();
  if (priority == "system-node-critical") return -997;
  std::string qos = plan_qos_class(pod);
  if (qos == "Guaranteed") return -997;
  if (qos == "BestEffort" || memory_capacity_bytes <= 0) return 1000;
  auto request = quantity_of(container["resources"]["requests"]["memory"]);
  double share =
      request ? static_cast<double>(request->value()) / static_cast<double>(memory_capacity_bytes)
              : 0;
  int score = 1000 - static_cast<int>(1000.0 * share);
  return std::clamp(score, 3, 999);
}

std::vector<std::string> strings_of(const codec::Json& list) {
  std::vector<std::string> out;
  for (const auto& item : list.items()) out.emplace_back(item.as_string());
  return out;
}

const codec::Json& either(const codec::Json& first, const codec::Json& second) {
  return first.is_null() ? second : first;
}

std::string capability_name(std::string name) {
  return base::starts_with(name, "CAP_") ? name.substr(4) : name;
}

}  // namespace

runtime::Resources plan_resources(const codec::Json& pod, const codec::Json& container,
                                  std::int64_t memory_capacity_bytes) {
  runtime::Resources out;
  const auto& limits = container["resources"]["limits"];
  auto cpu_limit = quantity_of(limits["cpu"]);
  auto cpu_request = quantity_of(container["resources"]["requests"]["cpu"]);
  if (!cpu_request) cpu_request = cpu_limit;
  out.cpu_shares = cpu_shares(cpu_request ? cpu_request->milli_value() : 0);
  if (cpu_limit) {
    out.cpu_period_us = kCpuPeriodUs;
    out.cpu_quota_us = cpu_quota_us(cpu_limit->milli_value());
  }
  if (auto memory = quantity_of(limits["memory"])) out.memory_limit_bytes = memory->value();
  out.oom_score_adj = oom_score_adj(pod, container, memory_capacity_bytes);
  return out;
}

std::string plan_cgroup_parent(const codec::Json& pod) {
  std::string qos = base::to_lower(plan_qos_class(pod));
  std::string leaf = base::concat("pod", pod["metadata"]["uid"].as_string());
  return qos == "guaranteed" ? leaf : base::concat(qos, "/", leaf);
}

std::string plan_hostname(const codec::Json& pod, std::string_view node_name) {
  const auto& spec = pod["spec"];
  if (!spec["hostnameOverride"].empty()) return std::string(spec["hostnameOverride"].as_string());
  if (spec["hostNetwork"].as_bool()) return std::string(node_name);
  std::string name(spec["hostname"].as_string(pod["metadata"]["name"].as_string()));
  if (name.empty()) name = pod["metadata"]["name"].as_string();
  if (name.size() > 63) name.resize(63);
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  return name;
}

std::string plan_domain(const codec::Json& pod, std::string_view cluster_domain) {
  std::string_view subdomain = pod["spec"]["subdomain"].as_string();
  if (subdomain.empty()) return {};
  return base::concat(subdomain, ".", pod["metadata"]["namespace"].as_string(), ".svc.",
                      cluster_domain);
}

base::Result<runtime::PodOptions> plan_pod_options(const codec::Json& pod,
                                                   std::string_view node_name,
                                                   std::string_view cluster_domain) {
  const auto& spec = pod["spec"];
  const auto& context = spec["securityContext"];
  auto missing = [](std::string_view what) {
    return base::Status(base::Code::unimplemented, base::concat(what, " is not supported"));
  };
  if (!spec["hostUsers"].as_bool(true)) return missing("hostUsers: false (user namespaces)");
  if (spec["os"]["name"].as_string("linux") != "linux")
    return missing(base::concat("os ", spec["os"]["name"].as_string()));
  if (!spec["runtimeClassName"].empty())
    return missing(base::concat("runtimeClassName ", spec["runtimeClassName"].as_string()));
  if (!spec["resourceClaims"].empty()) return missing("resourceClaims");
  if (context["supplementalGroupsPolicy"].as_string() == "Strict")
    return missing("supplementalGroupsPolicy: Strict");
  if (!spec["resources"].empty()) return missing("resources of the pod as a whole");
  for (std::string_view list : {"initContainers", "containers"})
    for (const auto& container : spec[list].items()) {
      const bool is_sidecar =
          list == "initContainers" && container["restartPolicy"].as_string() == "Always";
      if ((!container["restartPolicy"].empty() && !is_sidecar) ||
          !container["restartPolicyRules"].empty())
        return missing("restartPolicy of a single container");
    }
  runtime::PodOptions options;
  options.uid = pod["metadata"]["uid"].as_string();
  options.namespace_name = pod["metadata"]["namespace"].as_string();
  options.name = pod["metadata"]["name"].as_string();
  options.hostname = plan_hostname(pod, node_name);
  std::string domain = plan_domain(pod, cluster_domain);
  if (spec["setHostnameAsFQDN"].as_bool() && !domain.empty()) {
    options.hostname += "." + domain;
    if (options.hostname.size() > 64)
      return base::invalid_argument(
          base::concat("Failed to construct FQDN from Pod hostname and cluster domain, FQDN ",
                       options.hostname, " is too long (64 characters is the max, ",
                       options.hostname.size(), " characters requested)"));
  }
  options.host_network = spec["hostNetwork"].as_bool();
  options.host_pid = spec["hostPID"].as_bool();
  options.host_ipc = spec["hostIPC"].as_bool();
  options.share_process_namespace = spec["shareProcessNamespace"].as_bool();
  options.cgroup_parent = plan_cgroup_parent(pod);
  options.resources = plan_pod_resources(pod);
  if (!options.host_network)
    for (const auto& [name, value] : kNetworkSysctls) options.sysctls.emplace_back(name, value);
  for (const auto& item : context["sysctls"].items())
    options.sysctls.emplace_back(dotted_sysctl(item["name"].as_string()),
                                 item["value"].as_string());
  return options;
}

base::Status plan_container_security(const codec::Json& pod, const codec::Json& container,
                                     runtime::ContainerOptions& options) {
  const auto& outer = pod["spec"]["securityContext"];
  const auto& own = container["securityContext"];
  const auto& user = either(own["runAsUser"], outer["runAsUser"]);
  if (!user.is_null()) options.run_as_user = user.as_int();
  const auto& group = either(own["runAsGroup"], outer["runAsGroup"]);
  if (!group.is_null()) options.run_as_group = group.as_int();
  options.run_as_non_root = either(own["runAsNonRoot"], outer["runAsNonRoot"]).as_bool();
  for (const auto& item : outer["supplementalGroups"].items())
    options.supplemental_groups.push_back(item.as_int());
  if (!outer["fsGroup"].is_null()) options.supplemental_groups.push_back(outer["fsGroup"].as_int());
  options.privileged = own["privileged"].as_bool();
  options.read_only_root = own["readOnlyRootFilesystem"].as_bool();
  options.no_new_privileges = !own["allowPrivilegeEscalation"].as_bool(true);
  for (auto& name : strings_of(own["capabilities"]["add"]))
    options.capabilities_add.push_back(capability_name(std::move(name)));
  for (auto& name : strings_of(own["capabilities"]["drop"]))
    options.capabilities_drop.push_back(capability_name(std::move(name)));
  options.unmasked_proc = own["procMount"].as_string() == "Unmasked";
  const auto& seccomp = either(own["seccompProfile"], outer["seccompProfile"]);
  std::string_view profile = seccomp["type"].as_string("Unconfined");
  if (profile == "Localhost")
    return base::Status(base::Code::unimplemented,
                        "seccompProfile of type Localhost is not supported");
  options.seccomp = profile;
  const auto& app_armor = either(own["appArmorProfile"], outer["appArmorProfile"]);
  std::string_view app_armor_type = app_armor["type"].as_string("Unconfined");
  if (app_armor_type != "Unconfined")
    return base::Status(
        base::Code::unimplemented,
        base::concat("appArmorProfile of type ", app_armor_type, " is not supported"));
  if (!either(own["seLinuxOptions"], outer["seLinuxOptions"]).empty())
    return base::Status(base::Code::unimplemented, "seLinuxOptions are not supported");
  if (!container["volumeDevices"].empty())
    return base::Status(base::Code::unimplemented, "volumeDevices are not supported");
  options.working_dir = container["workingDir"].as_string();
  options.tty = container["tty"].as_bool();
  options.stdin_open = container["stdin"].as_bool();
  options.stdin_once = container["stdinOnce"].as_bool();
  return {};
}

}  // namespace skiff::agent
