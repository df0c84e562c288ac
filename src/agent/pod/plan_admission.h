// What this node refuses to run, as the kubelet does. Pure.
#pragma once

#include <skiff/codec/json.h>

#include <optional>
#include <string>
#include <vector>

namespace skiff::agent {

struct Refusal {
  std::string reason;   // "SysctlForbidden"
  std::string message;  // "forbidden sysctl: \"kernel.msgmax\" not allowlisted"
};

struct AdmissionInput {
  const codec::Json& pod;
  const codec::Json& node;  // the API's object; null: not known yet, nothing is said of it
  std::vector<const codec::Json*> others;  // pods that hold resources of the node
};
// Why the pod may not run here; nothing when it may. Of several reasons the kubelet's first.
std::optional<Refusal> plan_admission(const AdmissionInput& input);

// A sysctl with dots between its parts: "kernel/shm_rmid_forced" is "kernel.shm_rmid_forced", and
// "net/ipv4/conf/eth0.1/x" is "net.ipv4.conf.eth0/1.x".
std::string dotted_sysctl(std::string_view name);

}  // namespace skiff::agent
