#include "agent/pod/plan_admission.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <iterator>
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

}  // namespace

std::string dotted_sysctl(std::string_view name) {
  std::string out(name);
  auto first = out.find_first_of("./");
  if (first == std::string::npos || out[first] == '.') return out;
  for (char& c : out) c = c == '/' ? '.' : c == '.' ? '/' : c;
  return out;
}

std::optional<Refusal> plan_admission(const codec::Json& pod) {
  const auto& spec = pod["spec"];
  for (const auto& item : spec["securityContext"]["sysctls"].items()) {
    std::string why = refuse_sysctl(dotted_sysctl(item["name"].as_string()),
                                    spec["hostNetwork"].as_bool(), spec["hostIPC"].as_bool());
    if (!why.empty()) return Refusal{"SysctlForbidden", base::concat("forbidden sysctl: ", why)};
  }
  return std::nullopt;
}

}  // namespace skiff::agent
