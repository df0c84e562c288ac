// What this node refuses to run, as the kubelet does. Pure.
#pragma once

#include <skiff/codec/json.h>

#include <optional>
#include <string>

namespace skiff::agent {

struct Refusal {
  std::string reason;   // "SysctlForbidden"
  std::string message;  // "forbidden sysctl: \"kernel.msgmax\" not allowlisted"
};

// Why the pod may not run here; nothing when it may.
std::optional<Refusal> plan_admission(const codec::Json& pod);

// A sysctl with dots between its parts: "kernel/shm_rmid_forced" is "kernel.shm_rmid_forced", and
// "net/ipv4/conf/eth0.1/x" is "net.ipv4.conf.eth0/1.x".
std::string dotted_sysctl(std::string_view name);

}  // namespace skiff::agent
