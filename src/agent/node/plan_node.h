// The Node object and its status, as the kubelet writes them. Pure.
#pragma once

#include <skiff/agent/host_facts.h>
#include <skiff/base/clock.h>
#include <skiff/codec/json.h>
#include <skiff/runtime/image.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace skiff::agent {

struct NodeInput {
  std::string name, ip, version, runtime_version;
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<codec::Json> taints;
  std::int64_t pods_max = 110;
  HostFacts host;
  std::vector<runtime::Image> images;
  // Why the node is not ready ("container runtime network not ready: …"); empty = ready.
  std::string not_ready_message;
};

// What pods may have of the host.
std::int64_t allocatable_memory_bytes(const HostFacts& host);
std::int64_t allocatable_disk_bytes(const HostFacts& host);

codec::Json plan_node(const NodeInput& input);
// `present` is the node's status in the API: transition times of what did not change stay.
codec::Json plan_node_status(const NodeInput& input, const codec::Json& present,
                             base::WallTime now);
// Whether two statuses differ in more than heartbeats. An empty list is as good as none: the API
// does not keep it.
bool is_node_status_changed(const codec::Json& before, const codec::Json& after);
// The strategic merge patch that makes one status of the other: members that differ, of conditions
// the fields that do.
codec::Json plan_node_status_patch(const codec::Json& before, const codec::Json& after);

}  // namespace skiff::agent
