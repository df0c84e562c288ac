#include "agent/pod/plan_status.h"

#include <skiff/api/quantity.h>
#include <skiff/base/strings.h>

#include "agent/pod/plan_conditions.h"

#include <algorithm>
#include <set>

namespace skiff::agent {

namespace {

// Conditions are merged by type: what one has no more is taken away by name.
codec::Json plan_conditions_patch(const codec::Json& before, const codec::Json& after) {
  codec::Json patch = after;
  for (codec::Json& condition : patch.mutable_items()) {
    const codec::Json& wanted = condition;
    for (const codec::Json& present : before.items()) {
      if (present["type"].as_string() != wanted["type"].as_string()) continue;
      for (const codec::JsonMember& member : present.members())
        if (!wanted.contains(member.key)) condition.set(member.key, nullptr);
    }
  }
  return patch;
}

codec::Json terminated_state(const ContainerRun& run) {
  const auto& status = run.status;
  codec::Json state = codec::Json::object();
  state.set("exitCode", status.exit_code);
  if (status.exit_signal != 0) state.set("signal", status.exit_signal);
  std::string reason = status.reason;
  if (reason.empty()) reason = status.exit_code == 0 ? "Completed" : "Error";
  state.set("reason", status.oom_killed ? std::string("OOMKilled") : reason);
  if (!run.termination_message.empty()) state.set("message", run.termination_message);
  auto seconds = [](base::WallTime time) {
    return base::format_rfc3339(time.unix_ns > 0 ? time : base::WallTime{});
  };
  state.set("startedAt", seconds(status.started_at));
  state.set("finishedAt", seconds(status.finished_at));
  if (!status.id.empty()) state.set("containerID", base::concat("skiff://", status.id));
  return codec::Json::object({{"terminated", std::move(state)}});
}

codec::Json waiting_state(std::string_view reason, std::string_view message) {
  codec::Json state = codec::Json::object({{"reason", reason}});
  if (!message.empty()) state.set("message", message);
  return codec::Json::object({{"waiting", std::move(state)}});
}

bool is_running(const codec::Json& status) { return !status["state"]["running"].is_null(); }
const codec::Json& terminated(const codec::Json& status) { return status["state"]["terminated"]; }
const codec::Json& last_terminated(const codec::Json& status) {
  return status["lastState"]["terminated"];
}

const codec::Json* find_status(const codec::Json& statuses, std::string_view name) {
  for (const auto& status : statuses.items())
    if (status["name"].as_string() == name) return &status;
  return nullptr;
}

struct InitTally {
  int pending = 0;
  bool failed = false;
};

InitTally tally_init(const PodRecord& record, const codec::Json& statuses) {
  InitTally tally;
  for (const auto& container : record.pod["spec"]["initContainers"].items()) {
    bool sidecar = container["restartPolicy"].as_string() == "Always";
    const auto* status = find_status(statuses, container["name"].as_string());
    if (status == nullptr) {
      ++tally.pending;
    } else if (is_running(*status)) {
      if (!sidecar || !(*status)["started"].as_bool()) ++tally.pending;
    } else if (!terminated(*status).is_null()) {
      if (!sidecar && terminated(*status)["exitCode"].as_int() != 0) tally.failed = true;
    } else if (!last_terminated(*status).is_null() && !sidecar) {
      if (last_terminated(*status)["exitCode"].as_int() != 0) tally.failed = true;
    } else {
      ++tally.pending;
    }
  }
  return tally;
}

// Requests and limits as they are in the spec; empty object without.
codec::Json volume_mount_statuses(const codec::Json& container) {
  codec::Json mounts = codec::Json::array();
  for (const auto& mount : container["volumeMounts"].items()) {
    codec::Json status =
        codec::Json::object({{"name", mount["name"]}, {"mountPath", mount["mountPath"]}});
    if (mount["readOnly"].as_bool()) {
      status.set("readOnly", true);
      status.set("recursiveReadOnly", "Disabled");
    }
    mounts.push_back(std::move(status));
  }
  return mounts;
}

void set_states(const PodRecord& record, const ContainerRecord& container, codec::Json& status) {
  codec::Json last = codec::Json::object();
  if (container.is_running()) {
    std::string since = base::format_rfc3339(container.current->status.started_at);
    status.set("state",
               codec::Json::object({{"running", codec::Json::object({{"startedAt", since}})}}));
    if (container.previous && container.previous->has_exited())
      last = terminated_state(*container.previous);
  } else if (container.waiting && !record.terminating) {
    status.set("state", waiting_state(container.waiting->reason, container.waiting->message));
    if (container.has_exited()) last = terminated_state(*container.current);
  } else if (container.has_exited()) {
    status.set("state", terminated_state(*container.current));
    if (container.previous && container.previous->has_exited())
      last = terminated_state(*container.previous);
  } else {
    bool has_init = !record.pod["spec"]["initContainers"].empty();
    status.set("state", waiting_state(has_init ? "PodInitializing" : "ContainerCreating", ""));
  }
  status.set("lastState", std::move(last));
}

bool is_ready(const ContainerRecord& container) {
  if (container.kind == ContainerKind::init)
    return container.has_exited() && container.current->status.exit_code == 0;
  return container.is_running() && container.started && container.ready;
}

}  // namespace

bool is_terminal_phase(std::string_view phase) { return phase == "Succeeded" || phase == "Failed"; }

codec::Json plan_container_status(const PodRecord& record, const ContainerRecord& container) {
  const auto& spec = find_container(record.pod, container.name);
  codec::Json status = codec::Json::object({{"name", container.name}});
  set_states(record, container, status);
  bool started =
      container.is_running() && (container.started || container.kind == ContainerKind::init);
  status.set("ready", is_ready(container));
  status.set("restartCount", container.restart_count);
  status.set("image", container.image.empty() ? spec["image"] : codec::Json(container.image));
  status.set("imageID", container.image_id);
  if (container.current && !container.current->status.id.empty())
    status.set("containerID", base::concat("skiff://", container.current->status.id));
  status.set("started", started);
  const auto& requests = spec["resources"]["requests"];
  if (!requests.empty()) status.set("allocatedResources", requests);
  codec::Json resources = codec::Json::object();
  if (!spec["resources"]["limits"].empty()) resources.set("limits", spec["resources"]["limits"]);
  if (!requests.empty()) resources.set("requests", requests);
  status.set("resources", std::move(resources));
  codec::Json mounts = volume_mount_statuses(spec);
  if (!mounts.empty()) status.set("volumeMounts", std::move(mounts));
  return status;
}

std::string plan_phase(const PodRecord& record, const codec::Json& container_statuses,
                       const codec::Json& init_container_statuses) {
  InitTally init = tally_init(record, init_container_statuses);
  int unknown = 0, running = 0, waiting = 0, stopped = 0, succeeded = 0, ever_started = 0;
  for (const auto& container : record.pod["spec"]["containers"].items()) {
    const auto* status = find_status(container_statuses, container["name"].as_string());
    if (status == nullptr) {
      ++unknown;
      continue;
    }
    if (is_running(*status)) {
      ++running;
    } else if (!terminated(*status).is_null()) {
      ++stopped;
      if (terminated(*status)["exitCode"].as_int() == 0) ++succeeded;
    } else if (!last_terminated(*status).is_null()) {
      ++stopped;
    } else {
      ++waiting;
      continue;
    }
    ++ever_started;
  }
  std::string_view policy = restart_policy_of(record.pod);
  if (!record.failed_reason.empty()) return "Failed";
  if (init.failed && policy == "Never") return "Failed";
  if (record.terminating && ever_started == 0 && waiting + unknown > 0) {
    // Ended before any of its containers ran: an init container that was killed is a failure.
    return "Failed";
  }
  if ((init.pending > 0 || init.failed) && ever_started == 0) return "Pending";
  if (waiting > 0 && !record.terminating) return "Pending";
  if (running > 0 && unknown == 0) return "Running";
  if (stopped > 0 && unknown == 0) {
    if (record.terminating) return stopped == succeeded && waiting == 0 ? "Succeeded" : "Failed";
    if (policy == "Always") return "Running";
    if (stopped == succeeded) return "Succeeded";
    return policy == "Never" ? "Failed" : "Running";
  }
  return "Pending";
}

std::string plan_qos_class(const codec::Json& pod) {
  bool any = false, guaranteed = true;
  auto look_at = [&](const codec::Json& container) {
    std::set<std::string_view> limited;
    for (const char* list : {"requests", "limits"}) {
      for (const auto& member : container["resources"][list].members()) {
        if (member.key != "cpu" && member.key != "memory") continue;
        auto quantity = api::Quantity::parse(member.value.as_string());
        if (!quantity || *quantity == api::Quantity()) continue;
        any = true;
        if (list[0] == 'l') limited.insert(member.key);
      }
    }
    if (limited.size() != 2) guaranteed = false;
    for (const auto& member : container["resources"]["requests"].members()) {
      if (member.key != "cpu" && member.key != "memory") continue;
      auto request = api::Quantity::parse(member.value.as_string());
      auto limit = api::Quantity::parse(container["resources"]["limits"][member.key].as_string());
      if (!request || !limit || !(*request == *limit)) guaranteed = false;
    }
  };
  for (const char* list : {"initContainers", "containers"})
    for (const auto& container : pod["spec"][list].items()) look_at(container);
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

codec::Json plan_pod_status(const StatusInput& input) {
  const PodRecord& record = input.record;
  const auto& present = record.pod["status"];
  codec::Json init = codec::Json::array(), regular = codec::Json::array(),
              all = codec::Json::array();
  for (const auto& container : record.containers) {
    codec::Json status = plan_container_status(record, container);
    all.push_back(status);
    (container.kind == ContainerKind::regular ? regular : init).push_back(std::move(status));
  }
  std::string phase = plan_phase(record, regular, init);
  // Nothing is over before every process has ended, sidecars too.
  bool any_running = std::any_of(record.containers.begin(), record.containers.end(),
                                 [](const auto& container) { return container.is_running(); });
  if (is_terminal_phase(phase) && any_running) phase = "Running";
  // Failed and Succeeded are final.
  if (is_terminal_phase(present["phase"].as_string()))
    phase = std::string(present["phase"].as_string());
  codec::Json status = codec::Json::object();
  const auto& generation = record.pod["metadata"]["generation"];
  if (generation.as_int() > 0) status.set("observedGeneration", generation);
  status.set("phase", phase);
  status.set("conditions", plan_conditions(record, all, phase, input.now));
  if (!record.failed_reason.empty()) status.set("reason", record.failed_reason);
  if (!record.failed_message.empty())
    status.set("message",
               base::concat(record.is_refused ? "Pod was rejected: " : "", record.failed_message));
  if (!input.node_ip.empty()) {
    status.set("hostIP", input.node_ip);
    status.set("hostIPs", codec::Json::array({codec::Json::object({{"ip", input.node_ip}})}));
  }
  if (!record.pod_ip.empty()) {
    status.set("podIP", record.pod_ip);
    status.set("podIPs", codec::Json::array({codec::Json::object({{"ip", record.pod_ip}})}));
  }
  std::string_view present_start = present["startTime"].as_string();
  if (!present_start.empty()) {
    status.set("startTime", present_start);
  } else if (record.started_at) {
    status.set("startTime", base::format_rfc3339(*record.started_at));
  }
  // kubectl would show what the containers wait for, and not the reason.
  if (!init.empty() && !record.is_refused) status.set("initContainerStatuses", std::move(init));
  if (!record.is_refused) status.set("containerStatuses", std::move(regular));
  std::string_view qos = present["qosClass"].as_string();
  status.set("qosClass", qos.empty() ? codec::Json(plan_qos_class(record.pod)) : codec::Json(qos));
  return status;
}

codec::Json plan_status_patch(const codec::Json& before, const codec::Json& after,
                              std::string_view uid) {
  static constexpr std::string_view kOwned[] = {
      "reason", "message", "podIP", "podIPs", "hostIP", "hostIPs", "initContainerStatuses"};
  codec::Json changed = codec::Json::object();
  for (const auto& member : after.members()) {
    if (before[member.key] == member.value) continue;
    codec::Json value = member.key == "conditions"
                            ? plan_conditions_patch(before["conditions"], member.value)
                            : member.value;
    // Merged by "ip" otherwise: an old address would stay.
    const bool is_by_ip = member.key == "podIPs" || member.key == "hostIPs";
    if (is_by_ip && !before[member.key].empty()) {
      value = codec::Json::array({codec::Json::object({{"$patch", "replace"}})});
      for (const auto& item : member.value.items()) value.push_back(item);
    }
    changed.set(member.key, std::move(value));
  }
  for (auto key : kOwned)
    if (before.contains(key) && !after.contains(key)) changed.set(key, nullptr);
  if (changed.empty()) return nullptr;
  return codec::Json::object(
      {{"metadata", codec::Json::object({{"uid", uid}})}, {"status", std::move(changed)}});
}

}  // namespace skiff::agent
