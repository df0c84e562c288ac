// What the agent knows about a pod and its containers: values that the planners read.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/codec/json.h>
#include <skiff/runtime/runtime.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::agent {

// init: runs to its end before the next; sidecar: an init container with restartPolicy Always,
// which keeps running; regular: spec.containers.
enum class ContainerKind : unsigned char { init, sidecar, regular };

// One run of a container.
struct ContainerRun {
  runtime::ContainerStatus status;
  // Of an exited run: the termination message, else the runtime's words.
  std::string termination_message;
  bool is_running() const { return status.state == runtime::ContainerState::running; }
  bool has_exited() const { return status.state == runtime::ContainerState::exited; }
};

// Why nothing runs just now ("CrashLoopBackOff", "ErrImagePull", "CreateContainerConfigError").
struct WaitingState {
  std::string reason, message;
};

struct ContainerRecord {
  std::string name;
  ContainerKind kind = ContainerKind::regular;
  std::optional<ContainerRun> current;   // the latest run
  std::optional<ContainerRun> previous;  // the one before
  // `current` ran in a sandbox that is gone, with what it did there.
  bool is_of_lost_sandbox = false;
  std::optional<WaitingState> waiting;
  int restart_count = 0;  // of `current`; its attempt
  bool started = false;   // runs, and start-up probe and postStart hook are done
  bool ready = false;     // by the readiness probe; a container without one is ready once started
  std::string image, image_id;
  // Of the back-off between runs.
  base::Duration back_off{0};
  // The next start waits until then (monotonic); 0 = not in back-off.
  base::MonotonicTime not_before;
  bool is_running() const { return current && current->is_running(); }
  bool has_exited() const { return current && current->has_exited(); }
};

// Everything that decides what happens next and what the status says. Init containers in their
// order, then the regular ones.
struct PodRecord {
  codec::Json pod;  // the API's object
  std::vector<ContainerRecord> containers;
  bool sandbox_ready = false;  // sandbox with network
  std::string pod_ip;
  std::optional<base::WallTime> started_at;
  // Set once the pod may not run any more.
  bool terminating = false;
  // Of a pod that the agent failed by itself ("DeadlineExceeded", "Evicted", …).
  std::string failed_reason, failed_message;
  // The node does not take the pod: nothing of it was ever started.
  bool is_refused = false;
  // It used more than it may: it ends without a grace period.
  bool is_evicted = false;

  ContainerRecord* find(std::string_view name) {
    for (auto& record : containers)
      if (record.name == name) return &record;
    return nullptr;
  }
};

// Records for the containers of a spec, nothing run yet.
std::vector<ContainerRecord> make_container_records(const codec::Json& pod);
// The container of that name in spec.initContainers or spec.containers; null JSON without.
const codec::Json& find_container(const codec::Json& pod, std::string_view name);
// "spec.containers{web}" or "spec.initContainers{setup}".
std::string container_field_path(const codec::Json& pod, std::string_view name);
std::string_view restart_policy_of(const codec::Json& pod);
std::int64_t grace_seconds_of(const codec::Json& pod);
// "web_default(uid)", as the kubelet names pods in messages.
std::string format_pod(const codec::Json& pod);

}  // namespace skiff::agent
