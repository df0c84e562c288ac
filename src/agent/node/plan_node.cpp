#include <skiff/agent/host_facts.h>

#include "agent/node/plan_node.h"

#include <skiff/base/strings.h>

#include "agent/limits.h"

#include <algorithm>

namespace skiff::agent {

using codec::Json;

namespace {

// The kubelet's eviction thresholds.
constexpr std::int64_t kMemoryAvailableMin = 100ll << 20;
constexpr std::int64_t kDiskAvailableMinPercent = 10;
constexpr std::int64_t kInodesAvailableMinPercent = 5;
constexpr std::int64_t kPidsAvailableMinPercent = 5;

bool is_below(std::int64_t available, std::int64_t total, std::int64_t percent) {
  return total > 0 && available < total / 100 * percent;
}

struct ConditionText {
  const char *type, *reason, *message;
  bool is_true;
};

Json make_condition(const char* type, bool is_true, std::string_view reason,
                    std::string_view message, const Json& present, base::WallTime now) {
  std::string_view status = is_true ? "True" : "False";
  std::string transition = base::format_rfc3339(now);
  for (const auto& condition : present["conditions"].items())
    if (condition["type"].as_string() == type && condition["status"].as_string() == status &&
        !condition["lastTransitionTime"].empty())
      transition = condition["lastTransitionTime"].as_string();
  return Json::object({{"type", type},
                       {"status", status},
                       {"lastHeartbeatTime", base::format_rfc3339(now)},
                       {"lastTransitionTime", transition},
                       {"reason", reason},
                       {"message", message}});
}

Json plan_conditions(const NodeInput& input, const Json& present, base::WallTime now) {
  const auto& host = input.host;
  bool memory = host.memory_bytes > 0 && host.memory_available_bytes < kMemoryAvailableMin;
  bool disk = is_below(host.disk_available_bytes, host.disk_bytes, kDiskAvailableMinPercent) ||
              is_below(host.inodes_available, host.inodes, kInodesAvailableMinPercent);
  bool pids = is_below(host.pids_max - host.pids_used, host.pids_max, kPidsAvailableMinPercent);
  const ConditionText texts[] = {
      {"MemoryPressure", memory ? "KubeletHasInsufficientMemory" : "KubeletHasSufficientMemory",
       memory ? "kubelet has insufficient memory available"
              : "kubelet has sufficient memory available",
       memory},
      {"DiskPressure", disk ? "KubeletHasDiskPressure" : "KubeletHasNoDiskPressure",
       disk ? "kubelet has disk pressure" : "kubelet has no disk pressure", disk},
      {"PIDPressure", pids ? "KubeletHasInsufficientPID" : "KubeletHasSufficientPID",
       pids ? "kubelet has insufficient PID available" : "kubelet has sufficient PID available",
       pids},
  };
  Json out = Json::array();
  for (const auto& text : texts)
    out.push_back(make_condition(text.type, text.is_true, text.reason, text.message, present, now));
  bool ready = input.not_ready_message.empty();
  std::string message = ready ? "kubelet is posting ready status" : input.not_ready_message;
  if (!host.has_memory_controller)
    message += "; the memory controller of cgroups is missing: memory limits are not enforced";
  out.push_back(make_condition("Ready", ready, ready ? "KubeletReady" : "KubeletNotReady", message,
                               present, now));
  // Of others (NetworkUnavailable).
  for (const auto& condition : present["conditions"].items()) {
    bool known = false;
    for (const auto& own : out.items()) known = known || own["type"] == condition["type"];
    if (!known) out.push_back(condition);
  }
  return out;
}

Json plan_images(std::vector<runtime::Image> images) {
  std::sort(images.begin(), images.end(),
            [](const auto& a, const auto& b) { return a.size_bytes > b.size_bytes; });
  if (images.size() > kNodeImagesMax) images.resize(kNodeImagesMax);
  Json out = Json::array();
  for (const auto& image : images) {
    Json names = Json::array();
    for (const auto& digest : image.digests) names.push_back(digest);
    for (const auto& name : image.names) names.push_back(name);
    out.push_back(Json::object({{"names", std::move(names)}, {"sizeBytes", image.size_bytes}}));
  }
  return out;
}

bool is_other(const Json& before, const Json& after) {
  const bool are_empty = before.is_null() && after.is_array() && after.empty();
  return !are_empty && before != after;
}

// By type, as the API merges them.
Json changed_conditions(const Json& before, const Json& after) {
  Json out = Json::array();
  for (const auto& condition : after.items()) {
    const Json* present = nullptr;
    for (const auto& one : before.items())
      if (one["type"] == condition["type"]) present = &one;
    Json fields = Json::object({{"type", condition["type"]}});
    for (const auto& field : condition.members())
      if (present == nullptr || (*present)[field.key] != field.value)
        fields.set(field.key, field.value);
    if (fields.size() > 1) out.push_back(std::move(fields));
  }
  return out;
}

Json without_heartbeats(Json status) {
  if (auto* conditions = status.find("conditions"); conditions != nullptr)
    for (auto& condition : conditions->mutable_items()) condition.erase("lastHeartbeatTime");
  return status;
}

}  // namespace

Json plan_node(const NodeInput& input) {
  Json labels = Json::object({{"beta.kubernetes.io/arch", input.host.architecture},
                              {"beta.kubernetes.io/os", "linux"},
                              {"kubernetes.io/arch", input.host.architecture},
                              {"kubernetes.io/hostname", input.name},
                              {"kubernetes.io/os", "linux"}});
  for (const auto& [key, value] : input.labels) labels.set(key, value);
  Json spec = Json::object();
  if (!input.taints.empty()) {
    Json taints = Json::array();
    for (const auto& taint : input.taints) taints.push_back(taint);
    spec.set("taints", std::move(taints));
  }
  return Json::object(
      {{"apiVersion", "v1"},
       {"kind", "Node"},
       {"metadata", Json::object({{"name", input.name}, {"labels", std::move(labels)}})},
       {"spec", std::move(spec)}});
}

std::int64_t allocatable_memory_bytes(const HostFacts& host) {
  return std::max<std::int64_t>(host.memory_bytes - kMemoryAvailableMin, 0);
}

std::int64_t allocatable_disk_bytes(const HostFacts& host) { return host.disk_bytes / 10 * 9; }

Json plan_node_status(const NodeInput& input, const Json& present, base::WallTime now) {
  const auto& host = input.host;
  Json capacity = Json::object({{"cpu", std::to_string(host.cpus)},
                                {"ephemeral-storage", base::concat(host.disk_bytes / 1024, "Ki")},
                                {"hugepages-1Gi", "0"},
                                {"hugepages-2Mi", "0"},
                                {"memory", base::concat(host.memory_bytes / 1024, "Ki")},
                                {"pods", std::to_string(input.pods_max)}});
  Json allocatable = capacity;
  allocatable.set("ephemeral-storage", std::to_string(allocatable_disk_bytes(host)));
  allocatable.set("memory", base::concat(allocatable_memory_bytes(host) / 1024, "Ki"));
  Json info = Json::object({{"machineID", host.machine_id},
                            {"systemUUID", host.system_uuid},
                            {"bootID", host.boot_id},
                            {"kernelVersion", host.kernel_version},
                            {"osImage", host.os_image},
                            {"containerRuntimeVersion", input.runtime_version},
                            {"kubeletVersion", input.version},
                            {"kubeProxyVersion", ""},
                            {"operatingSystem", "linux"},
                            {"architecture", host.architecture}});
  Json addresses = Json::array({Json::object({{"type", "InternalIP"}, {"address", input.ip}}),
                                Json::object({{"type", "Hostname"}, {"address", input.name}})});
  Json status = Json::object({{"capacity", std::move(capacity)},
                              {"allocatable", std::move(allocatable)},
                              {"conditions", plan_conditions(input, present, now)},
                              {"addresses", std::move(addresses)},
                              {"nodeInfo", std::move(info)}});
  Json images = plan_images(input.images);
  status.set("images", std::move(images));
  return status;
}

bool is_node_status_changed(const Json& before, const Json& after) {
  const Json old_status = without_heartbeats(before);
  const Json new_status = without_heartbeats(after);
  for (const auto& member : new_status.members())
    if (is_other(old_status[member.key], member.value)) return true;
  return false;
}

Json plan_node_status_patch(const Json& before, const Json& after) {
  Json patch = Json::object();
  for (const auto& member : after.members()) {
    const Json& present = before[member.key];
    if (!is_other(present, member.value)) continue;
    patch.set(member.key, member.key == "conditions" ? changed_conditions(present, member.value)
                                                     : member.value);
  }
  return patch;
}

}  // namespace skiff::agent
