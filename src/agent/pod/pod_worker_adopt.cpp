// Finding again what a pod has on this host after a restart of skiff.
#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>

#include "agent/container/termination_message.h"
#include "agent/pod/plan_restart.h"
#include "agent/pod/plan_status.h"
#include "agent/pod/pod_worker.h"

#include <algorithm>

namespace skiff::agent {

namespace {

const codec::Json* find_status(const codec::Json& status, std::string_view name) {
  for (const char* list : {"initContainerStatuses", "containerStatuses"})
    for (const auto& item : status[list].items())
      if (item["name"].as_string() == name) return &item;
  return nullptr;
}

std::string plain_id(std::string_view id) {
  auto at = id.find("://");
  return std::string(at == std::string_view::npos ? id : id.substr(at + 3));
}

ContainerRun run_from_terminated(const codec::Json& terminated, int attempt) {
  ContainerRun run;
  run.status.id = plain_id(terminated["containerID"].as_string());
  run.status.attempt = attempt;
  run.status.state = runtime::ContainerState::exited;
  run.status.exit_code = static_cast<int>(terminated["exitCode"].as_int());
  run.status.exit_signal = static_cast<int>(terminated["signal"].as_int());
  run.status.reason = terminated["reason"].as_string();
  run.status.oom_killed = run.status.reason == "OOMKilled";
  run.termination_message = terminated["message"].as_string();
  if (auto time = base::parse_rfc3339(terminated["startedAt"].as_string()))
    run.status.started_at = *time;
  if (auto time = base::parse_rfc3339(terminated["finishedAt"].as_string()))
    run.status.finished_at = *time;
  return run;
}

}  // namespace

// Nothing of it is on the host: what the API knows counts, so that what has finished stays so.
void PodWorker::adopt_from_api(ContainerRecord& record) {
  const auto* status = find_status(record_.pod["status"], record.name);
  if (status == nullptr) return;
  const auto& terminated = (*status)["state"]["terminated"];
  const auto& last = (*status)["lastState"]["terminated"];
  record.restart_count = static_cast<int>((*status)["restartCount"].as_int());
  if (!(*status)["image"].empty()) record.image = (*status)["image"].as_string();
  record.image_id = (*status)["imageID"].as_string();
  if (!terminated.is_null()) {
    record.current = run_from_terminated(terminated, record.restart_count);
  } else if (!(*status)["state"]["running"].is_null()) {
    // It ran when the host or its supervisor went away.
    ContainerRun run;
    run.status.id = plain_id((*status)["containerID"].as_string());
    run.status.attempt = record.restart_count;
    run.status.state = runtime::ContainerState::exited;
    run.status.exit_code = 137;
    run.status.reason = "ContainerStatusUnknown";
    run.termination_message = "The container could not be located when the pod was terminated";
    record.current = std::move(run);
  } else if (!last.is_null()) {
    record.current = run_from_terminated(last, record.restart_count);
  }
  if (record.current && !last.is_null() && terminated.is_object())
    record.previous = run_from_terminated(last, record.restart_count - 1);
}

void PodWorker::adopt_run(ContainerRecord& record, std::vector<runtime::ContainerStatus> runs) {
  std::sort(runs.begin(), runs.end(),
            [](const auto& a, const auto& b) { return a.attempt < b.attempt; });
  const auto& spec = find_container(record_.pod, record.name);
  auto to_run = [&](const runtime::ContainerStatus& status) {
    ContainerRun run;
    run.status = status;
    if (status.state == runtime::ContainerState::exited)
      run.termination_message =
          read_termination_message(context_.options.data_dir, record_.pod, spec, status);
    return run;
  };
  const auto& latest = runs.back();
  record.current = to_run(latest);
  record.restart_count = latest.attempt;
  if (runs.size() > 1 && runs[runs.size() - 2].state == runtime::ContainerState::exited)
    record.previous = to_run(runs[runs.size() - 2]);
  const auto* status = find_status(record_.pod["status"], record.name);
  bool same_run = status != nullptr && plain_id((*status)["containerID"].as_string()) == latest.id;
  if (same_run) {
    if (!(*status)["image"].empty()) record.image = (*status)["image"].as_string();
    record.image_id = (*status)["imageID"].as_string();
  }
  if (!record.is_running()) return;
  record.started = spec["startupProbe"].is_null() || (same_run && (*status)["started"].as_bool());
  record.ready = record.started &&
                 (spec["readinessProbe"].is_null() || (same_run && (*status)["ready"].as_bool()));
}

void PodWorker::adopt(PodAdoption adoption) {
  const auto& status = record_.pod["status"];
  if (auto started = base::parse_rfc3339(status["startTime"].as_string()))
    record_.started_at = *started;
  record_.pod_ip = adoption.pod_ip;
  if (!adoption.finished_status.is_null() || (is_terminal_phase(status["phase"].as_string()) &&
                                              !adoption.sandbox && adoption.containers.empty())) {
    for (auto& record : record_.containers) adopt_from_api(record);
    if (!adoption.finished_status.is_null()) record_.pod.set("status", adoption.finished_status);
    record_.pod_ip = record_.pod["status"]["podIP"].as_string();
    record_.terminating = true;
    record_.failed_reason = record_.pod["status"]["reason"].as_string();
    record_.failed_message = record_.pod["status"]["message"].as_string();
    local_status_ = record_.pod["status"];
    writer_.set(local_status_);
    // Whoever was here before may not have come to clean up.
    const bool has_rest =
        adoption.sandbox || !adoption.containers.empty() || !adoption.pod_ip.empty();
    machine_ = PodStateMachine(has_rest ? PodPhaseState::cleaning : PodPhaseState::finished);
    return;
  }
  bool has_sandbox = adoption.sandbox && adoption.sandbox->state == runtime::PodState::running;
  for (auto& record : record_.containers) {
    std::vector<runtime::ContainerStatus> runs;
    for (auto& run : adoption.containers) {
      // One that was made but never started did not run: its attempt is made again.
      if (run.name == record.name && run.state != runtime::ContainerState::created)
        runs.push_back(run);
    }
    if (runs.empty()) {
      adopt_from_api(record);
      // What a sandbox had goes with it.
      record.is_of_lost_sandbox = has_sandbox && record.current.has_value();
    } else {
      adopt_run(record, std::move(runs));
    }
  }
  bool has_network = is_host_network() || !record_.pod_ip.empty();
  if (is_host_network()) record_.pod_ip = context_.node.node_ip;
  if (has_sandbox && has_network) {
    record_.sandbox_ready = true;
    machine_ = PodStateMachine(PodPhaseState::running);
  } else {
    if (adoption.sandbox)
      event(client::EventType::normal, "SandboxChanged",
            "Pod sandbox changed, it will be killed and re-created.");
    for (auto& record : record_.containers) {
      if (!record.is_running()) continue;
      dirty_containers_.push_back(record.name);
    }
  }
}

}  // namespace skiff::agent
