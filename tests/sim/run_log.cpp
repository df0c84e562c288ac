#include "sim/run_log.h"

#include <skiff/api/object.h>
#include <skiff/base/strings.h>

namespace skiff::sim {

using Moment = test::FakeRuntime::Moment;

namespace {

// As the agent decides: what has finished under this policy does not run again.
bool may_restart(std::string_view policy, int exit_code) {
  return policy == "Always" || policy.empty() || (policy == "OnFailure" && exit_code != 0);
}

bool is_init_container(const codec::Json& pod, std::string_view name) {
  for (const auto& container : pod["spec"]["initContainers"].items())
    if (container["name"].as_string() == name) return true;
  return false;
}

bool is_over(const codec::Json& pod) {
  const auto phase = pod["status"]["phase"].as_string();
  return pod.is_null() || api::is_being_deleted(pod) || phase == "Succeeded" || phase == "Failed";
}

}  // namespace

void RunLog::fail(const runtime::ContainerStatus& container, std::string_view what) {
  if (wire_.violation.empty())
    wire_.violation = base::concat(board_, ": container ", container.name, " of pod ",
                                   container.pod_uid, ", run ", container.attempt, ' ', what);
}

void RunLog::note(Moment moment, const runtime::ContainerStatus& container) {
  switch (moment) {
    case Moment::started: return note_start(container);
    case Moment::killed: return note_kill(container);
    case Moment::ended: break;
  }
  auto found = runs_.find({container.pod_uid, container.name});
  if (found == runs_.end()) return;
  found->second.has_ended = true;
  found->second.exit_code = container.exit_code;
}

void RunLog::note_start(const runtime::ContainerStatus& container) {
  ++starts_;
  auto [found, is_first] = runs_.try_emplace({container.pod_uid, container.name});
  Run& run = found->second;
  if (!is_first) {
    if (!run.has_ended) fail(container, "is started while the run before goes on");
    if (container.attempt <= run.attempt) fail(container, "is started twice");
    const codec::Json pod = wire_.store.find_pod(container.pod_uid);
    const auto policy = pod["spec"]["restartPolicy"].as_string();
    const bool is_init = is_init_container(pod, container.name);
    const auto counted = is_init && policy == "Always" ? "OnFailure" : policy;
    if (!pod.is_null() && !may_restart(counted, run.exit_code))
      fail(container, base::concat("is started again after ", run.exit_code, ", by ", policy));
  }
  run = {container.attempt, false, 0};
}

void RunLog::note_kill(const runtime::ContainerStatus& container) {
  if (!is_over(wire_.store.find_pod(container.pod_uid)))
    fail(container, "is killed, though its pod is to run");
}

}  // namespace skiff::sim
