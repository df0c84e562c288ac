// Runs one pod on this node: the state machine of pod_states.h, driven by what the API wants and
// what the runtime tells. Level-triggered: every notification only says "look again".
#pragma once

#include <skiff/base/async.h>
#include <skiff/runtime/image.h>

#include "agent/context.h"
#include "agent/pod/plan_actions.h"
#include "agent/pod/plan_admission.h"
#include "agent/pod/pod_model.h"
#include "agent/pod/pod_states.h"
#include "agent/pod/status_writer.h"
#include "agent/probes/probe_set.h"
#include "agent/volumes/plan_payload.h"
#include "agent/volumes/volume_set.h"
#include "agent/volumes/volume_usage.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace skiff::agent {

// What of the pod is on this host when its worker starts.
struct PodAdoption {
  std::optional<runtime::PodSandbox> sandbox;
  std::vector<runtime::ContainerStatus> containers;
  std::string pod_ip;
  // The final status of a pod that has finished here before; null without.
  codec::Json finished_status;
};

struct PodWorkerHooks {
  net::PodNetwork* network = nullptr;  // null until the node has its podCIDR
  std::function<base::Task<void>(std::string)> before_stop;
  std::function<void(std::string, std::vector<net::ServiceRule>)> host_ports;
  // Of a pod that is new here.
  std::function<std::optional<Refusal>(const codec::Json& pod)> admit;
};

struct PreparationStep;

// Loop-only. Destroy it after run() returned.
class PodWorker {
 public:
  PodWorker(const AgentContext& context, const PodWorkerHooks& hooks, codec::Json pod,
            PodAdoption adoption);

  // Returns when nothing of the pod remains, or when `stop` is cancelled: then containers go on.
  base::Task<void> run(base::CancelToken stop);

  // A newer version of the object.
  void set_pod(codec::Json pod);
  // The API has the object no longer.
  void set_removed();
  // The node took it, and it may still use what it was given.
  bool holds_resources() const;
  // A container ended (its id), or the pod's supervisor (empty).
  void on_runtime_event(const std::string& container_id);
  void on_config_change();
  void look_again() { changed_.notify(); }
  void on_node_address();

  PodPhaseState state() const { return machine_.state(); }
  const PodRecord& record() const { return record_; }
  const std::string& uid() const { return uid_; }
  // Folder of the log files of a container.
  static std::string log_folder(const std::string& data_dir, const codec::Json& pod,
                                std::string_view container);
  static std::string log_path(const std::string& data_dir, const codec::Json& pod,
                              std::string_view container, int attempt);

 private:
  friend const std::vector<PreparationStep>& step_list();
  struct Retry {
    base::Duration pause{0};
    base::MonotonicTime not_before;
  };
  struct ContainerExtra {
    bool pull_failed = false;
    base::MonotonicTime show_back_off_at;
    std::string failed_message;  // of the last pull
    std::string kill_message;    // set by a probe: stop it, with this in the event
    std::optional<std::int64_t> kill_grace_seconds;
    std::unique_ptr<base::Notifier> exited = std::make_unique<base::Notifier>();
  };

  // adopt.cpp
  void adopt(PodAdoption adoption);
  void adopt_from_api(ContainerRecord& record);
  void adopt_run(ContainerRecord& record, std::vector<runtime::ContainerStatus> runs);
  bool wants_termination();
  bool is_over_by_plan();

  // The states.
  base::Task<void> be_waiting();
  base::Task<void> be_running();
  base::Task<void> be_terminating();
  base::Task<void> be_cleaning();
  base::Task<void> be_finished();

  // Steps of step_list.
  base::Task<base::Status> prepare();
  base::Task<base::Status> step_volumes();
  base::Task<base::Status> step_sandbox();
  base::Task<base::Status> step_network();
  base::Task<base::Status> step_etc_files();
  base::Task<void> undo_nothing();
  base::Task<void> undo_sandbox();
  base::Task<void> undo_network();
  void publish_host_ports();
  StorageFolders storage_folders() const;
  base::Task<void> watch_storage(base::CancelToken cancel);

  // Containers.
  base::Task<void> refresh_dirty();
  base::Task<void> refresh(std::string name);
  base::Task<void> refresh_sandbox();
  void note_exit(ContainerRecord& record);
  void show_back_off(const std::vector<std::string>& names);
  base::Task<void> start_container(std::string name);
  base::Task<base::Result<runtime::ContainerOptions>> make_options(std::string name,
                                                                   runtime::Image image,
                                                                   ConfigSources sources);
  base::Task<void> launch(std::string name, runtime::ContainerOptions options,
                          runtime::Image image);
  base::Task<void> run_post_start(std::string name);
  void fail_start(ContainerRecord& record, std::string reason, std::string message,
                  base::MonotonicTime retry_at);
  void fail_run(ContainerRecord& record, const runtime::ContainerOptions& options,
                std::string message);
  void start_probes(const ContainerRecord& record);
  void on_probe(const std::string& container, const std::string& container_id, ProbeKind kind,
                bool is_success, const std::string& output);
  base::Task<void> stop_unhealthy();
  base::Task<void> stop_container(std::string name, std::string message,
                                  std::optional<std::int64_t> grace_seconds);
  base::Task<void> run_pre_stop(std::string name, base::MonotonicTime deadline);
  base::Task<bool> wait_exit(std::string name, base::MonotonicTime floor,
                             base::MonotonicTime deadline);
  base::Task<void> remove_run(ContainerRun run);
  base::Task<void> keep_volumes_fresh();

  void event(client::EventType type, std::string_view reason, const std::string& message,
             const std::string& container = {});
  void publish();
  base::MonotonicTime grace_deadline(base::MonotonicTime since) const;
  VolumeFolders folders() const;
  PayloadInput payload_input(const ConfigSources& sources,
                             const std::map<TokenKey, std::string>& tokens) const;
  std::string unique_name() const;
  bool is_host_network() const { return record_.pod["spec"]["hostNetwork"].as_bool(); }

  const AgentContext& context_;
  const PodWorkerHooks& hooks_;
  std::string uid_;
  PodRecord record_;
  PodStateMachine machine_{PodPhaseState::waiting};
  std::map<std::string, ContainerExtra> extras_;
  StatusWriter writer_;
  ProbeSet probes_;
  base::Notifier changed_;
  base::CancelToken stop_;
  base::CancelSource starting_;  // cancelled when the pod may not start anything any more
  Retry retry_;
  std::vector<std::string> dirty_containers_;
  std::set<std::string> early_exits_;
  bool sandbox_dirty_ = false, removed_ = false, is_admitted_ = false, volumes_ready_ = false,
       config_changed_ = false;
  bool has_host_ports_ = false;  // rules for them were asked for
  VolumePaths volume_paths_;
  std::optional<base::MonotonicTime> tokens_refresh_at_;
  std::optional<base::MonotonicTime> terminating_since_;
  codec::Json local_status_;
};

// One step of bringing a pod up, in the order of step_list(); undone in reverse when a later one
// fails.
struct PreparationStep {
  const char* name;
  base::Task<base::Status> (PodWorker::*apply)();
  base::Task<void> (PodWorker::*undo)();
};
const std::vector<PreparationStep>& step_list();

}  // namespace skiff::agent
