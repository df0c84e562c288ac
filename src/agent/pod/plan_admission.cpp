#include "agent/pod/plan_admission.h"

#include <skiff/api/node_selector.h>
#include <skiff/api/quantity.h>
#include <skiff/base/strings.h>

#include "agent/container/plan_pod_resources.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string_view>

namespace skiff::agent {

namespace {

struct SafeSysctl {
  std::string_view name, space;
};

// Those of a namespace that can hurt no other pod; the kubelet's list.
constexpr SafeSysctl kSafeSysctls[] = {
    {"kernel.shm_rmid_forced", "IPC"},
    {"net.ipv4.ip_local_port_range", "Net"},
    {"net.ipv4.tcp_syncookies", "Net"},
    {"net.ipv4.ping_group_range", "Net"},
    {"net.ipv4.ip_unprivileged_port_start", "Net"},
    {"net.ipv4.ip_local_reserved_ports", "Net"},
    {"net.ipv4.tcp_keepalive_time", "Net"},
    {"net.ipv4.tcp_fin_timeout", "Net"},
    {"net.ipv4.tcp_keepalive_intvl", "Net"},
    {"net.ipv4.tcp_keepalive_probes", "Net"},
    {"net.ipv4.tcp_rmem", "Net"},
    {"net.ipv4.tcp_wmem", "Net"},
};

// Empty when the sysctl may be set.
std::string refuse_sysctl(const std::string& name, bool host_network, bool host_ipc) {
  const auto* found = std::find_if(std::begin(kSafeSysctls), std::end(kSafeSysctls),
                                   [&](const SafeSysctl& safe) { return safe.name == name; });
  if (found == std::end(kSafeSysctls)) return base::concat(base::quote(name), " not allowlisted");
  if (found->space == "IPC" ? host_ipc : host_network)
    return base::concat(base::quote(name), " not allowed with host ", found->space, " enabled");
  return {};
}

Refusal predicate_failed(std::string_view predicate, std::string_view why) {
  return {std::string(predicate), base::concat("Predicate ", predicate, " failed: ", why)};
}

std::optional<Refusal> insufficient(std::string_view resource, std::int64_t requested,
                                    std::int64_t used, std::int64_t capacity) {
  if (requested <= 0 || requested <= capacity - used) return std::nullopt;
  return Refusal{base::concat("OutOf", resource),
                 base::concat("Node didn't have enough resource: ", resource, ", requested: ",
                              requested, ", used: ", used, ", capacity: ", capacity)};
}

std::int64_t capacity_of(const codec::Json& node, std::string_view resource) {
  auto quantity = api::Quantity::parse(node["status"]["allocatable"][resource].as_string());
  if (!quantity) return std::numeric_limits<std::int64_t>::max();  // it does not say
  return resource == "cpu" ? quantity->milli_value() : quantity->value();
}

std::optional<Refusal> refuse_resources(const AdmissionInput& input) {
  PodRequests used;
  for (const auto* other : input.others) used.add(plan_pod_requests(*other));
  const PodRequests wanted = plan_pod_requests(input.pod);
  const auto pods = static_cast<std::int64_t>(input.others.size());
  auto refusal = insufficient("pods", 1, pods, capacity_of(input.node, "pods"));
  auto look_at = [&](std::string_view resource, std::int64_t PodRequests::*amount) {
    if (!refusal)
      refusal =
          insufficient(resource, wanted.*amount, used.*amount, capacity_of(input.node, resource));
  };
  look_at("cpu", &PodRequests::milli_cpu);
  look_at("memory", &PodRequests::memory_bytes);
  look_at("ephemeral-storage", &PodRequests::ephemeral_storage_bytes);
  return refusal;
}

bool matches_node(const codec::Json& spec, const codec::Json& node) {
  const api::LabelSet labels(node["metadata"]["labels"]);
  for (const auto& member : spec["nodeSelector"].members()) {
    const auto* value = labels.find(member.key);
    if (value == nullptr || *value != member.value.as_string()) return false;
  }
  const auto& required =
      spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
  if (required.is_null()) return true;
  const std::string name(node["metadata"]["name"].as_string());
  const auto& terms = required["nodeSelectorTerms"].items();
  return std::any_of(terms.begin(), terms.end(), [&](const codec::Json& term) {
    return api::NodeTerm(term).matches(labels, name);
  });
}

bool tolerates_node(const codec::Json& spec, const codec::Json& node) {
  for (const auto& taint : api::parse_taints(node["spec"]["taints"])) {
    if (taint.effect != api::TaintEffect::no_execute) continue;
    const auto& tolerations = spec["tolerations"].items();
    if (std::none_of(tolerations.begin(), tolerations.end(), [&](const codec::Json& toleration) {
          return api::Toleration(toleration).tolerates(taint);
        }))
      return false;
  }
  return true;
}

struct HostPort {
  std::string_view protocol, address;
  std::int64_t number = 0;
  bool collides(const HostPort& other) const {
    const bool same_address =
        address == other.address || address == kAnyAddress || other.address == kAnyAddress;
    return number == other.number && protocol == other.protocol && same_address;
  }
  static constexpr std::string_view kAnyAddress = "0.0.0.0";
};

std::vector<HostPort> host_ports_of(const codec::Json& pod) {
  std::vector<HostPort> ports;
  for (const auto& container : pod["spec"]["containers"].items())
    for (const auto& port : container["ports"].items()) {
      HostPort found{port["protocol"].as_string("TCP"), port["hostIP"].as_string(),
                     port["hostPort"].as_int()};
      if (found.address.empty()) found.address = HostPort::kAnyAddress;
      if (found.number > 0) ports.push_back(found);
    }
  return ports;
}

bool has_free_ports(const AdmissionInput& input) {
  const auto wanted = host_ports_of(input.pod);
  if (wanted.empty()) return true;
  for (const auto* other : input.others)
    for (const auto& used : host_ports_of(*other))
      if (std::any_of(wanted.begin(), wanted.end(),
                      [&](const HostPort& port) { return port.collides(used); }))
        return false;
  return true;
}

}  // namespace

std::string dotted_sysctl(std::string_view name) {
  std::string out(name);
  auto first = out.find_first_of("./");
  if (first == std::string::npos || out[first] == '.') return out;
  for (char& c : out) c = c == '/' ? '.' : c == '.' ? '/' : c;
  return out;
}

std::optional<Refusal> plan_admission(const AdmissionInput& input) {
  const auto& spec = input.pod["spec"];
  for (const auto& item : spec["securityContext"]["sysctls"].items()) {
    std::string why = refuse_sysctl(dotted_sysctl(item["name"].as_string()),
                                    spec["hostNetwork"].as_bool(), spec["hostIPC"].as_bool());
    if (!why.empty()) return Refusal{"SysctlForbidden", base::concat("forbidden sysctl: ", why)};
  }
  if (input.node.is_null()) return std::nullopt;
  if (auto refusal = refuse_resources(input)) return refusal;
  if (!matches_node(spec, input.node))
    return predicate_failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
  if (!has_free_ports(input))
    return predicate_failed("NodePorts",
                            "node(s) didn't have free ports for the requested pod ports");
  if (!tolerates_node(spec, input.node))
    return predicate_failed("TaintToleration", "node(s) had taints that the pod didn't tolerate");
  return std::nullopt;
}

}  // namespace skiff::agent
