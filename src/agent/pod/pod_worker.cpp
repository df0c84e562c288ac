#include "agent/pod/pod_worker.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>
#include <skiff/sys/files.h>

#include "agent/images/image_puller.h"
#include "agent/limits.h"
#include "agent/pod/config_cache.h"
#include "agent/pod/plan_status.h"
#include "agent/pod/wait.h"
#include "agent/volumes/token_cache.h"

#include <algorithm>

namespace skiff::agent {

using client::EventType;
using S = PodPhaseState;

PodWorker::PodWorker(const AgentContext& context, const PodWorkerHooks& hooks, codec::Json pod,
                     PodAdoption adoption)
    : context_(context),
      hooks_(hooks),
      uid_(pod["metadata"]["uid"].as_string()),
      writer_(context, pod),
      probes_(context, [this](const std::string& container, const std::string& id, ProbeKind kind,
                              bool is_success, const std::string& output) {
        on_probe(container, id, kind, is_success, output);
      }) {
  record_.pod = std::move(pod);
  record_.containers = make_container_records(record_.pod);
  adopt(std::move(adoption));
}

std::string PodWorker::log_folder(const std::string& data_dir, const codec::Json& pod,
                                  std::string_view container) {
  const auto& metadata = pod["metadata"];
  return base::concat(data_dir, "/log/pods/", metadata["namespace"].as_string(), "_",
                      metadata["name"].as_string(), "_", metadata["uid"].as_string(),
                      container.empty() ? "" : "/", container);
}

std::string PodWorker::log_path(const std::string& data_dir, const codec::Json& pod,
                                std::string_view container, int attempt) {
  return base::concat(log_folder(data_dir, pod, container), "/", attempt, ".log");
}

VolumeFolders PodWorker::folders() const {
  return {context_.pod_dir(uid_), context_.volatile_dir(uid_)};
}

std::string PodWorker::unique_name() const {
  std::string time = base::format_rfc3339(context_.now());
  for (char& c : time)
    if (c < '0' || c > '9') c = '_';
  time.pop_back();
  return base::concat(time, ".", context_.options.random->below(10'000'000'000));
}

PayloadInput PodWorker::payload_input(const ConfigSources& sources,
                                      const std::map<TokenKey, std::string>& tokens) const {
  return {record_.pod, record_.pod_ip, context_.node, sources, tokens};
}

void PodWorker::event(EventType type, std::string_view reason, const std::string& message,
                      const std::string& container) {
  std::string path =
      container.empty() ? std::string() : container_field_path(record_.pod, container);
  context_.options.recorder->event(record_.pod, type, reason, message, path);
}

void PodWorker::publish() {
  codec::Json status = plan_pod_status({record_, context_.node.node_ip, context_.now()});
  record_.pod.set("status", status);
  if (status == local_status_ && status == writer_.api_status()) return;
  local_status_ = status;
  writer_.set(std::move(status));
}

void PodWorker::on_node_address() {
  if (is_host_network() && !record_.pod_ip.empty()) record_.pod_ip = context_.node.node_ip;
  if (!local_status_.is_null()) publish();
}

void PodWorker::set_pod(codec::Json pod) {
  writer_.set_api_object(pod);
  codec::Json api_status = pod["status"];
  bool failed_elsewhere = is_terminal_phase(api_status["phase"].as_string());
  const codec::Json& now = std::as_const(pod)["metadata"];
  const codec::Json& before = std::as_const(record_.pod)["metadata"];
  // Volumes of the downward API show them.
  if (now["labels"] != before["labels"] || now["annotations"] != before["annotations"])
    config_changed_ = true;
  record_.pod = std::move(pod);
  if (!local_status_.is_null() && !failed_elsewhere) {
    // Ours is newer, but conditions of others come from the API.
    codec::Json merged = local_status_;
    codec::Json conditions = codec::Json::array();
    static constexpr std::string_view kOwn[] = {"PodReadyToStartContainers", "Initialized", "Ready",
                                                "ContainersReady", "PodScheduled"};
    auto is_own = [](const codec::Json& condition) {
      return std::find(std::begin(kOwn), std::end(kOwn), condition["type"].as_string()) !=
             std::end(kOwn);
    };
    for (const auto& condition : local_status_["conditions"].items())
      if (is_own(condition)) conditions.push_back(condition);
    for (const auto& condition : api_status["conditions"].items())
      if (!is_own(condition)) conditions.push_back(condition);
    merged.set("conditions", std::move(conditions));
    record_.pod.set("status", std::move(merged));
  }
  if (wants_termination()) starting_.cancel();
  for (auto& [name, extra] : extras_) extra.exited->notify();
  changed_.notify();
}

bool PodWorker::holds_resources() const {
  const auto state = machine_.state();
  return is_admitted_ && !removed_ && state != S::cleaning && state != S::finished &&
         state != S::gone;
}

void PodWorker::set_removed() {
  removed_ = true;
  writer_.set_gone();
  starting_.cancel();
  changed_.notify();
}

void PodWorker::on_runtime_event(const std::string& container_id) {
  if (container_id.empty()) sandbox_dirty_ = true;
  bool is_known = container_id.empty();
  for (auto& container : record_.containers) {
    if (!container.current || container.has_exited()) continue;
    if (!container_id.empty() && container.current->status.id != container_id) continue;
    is_known = true;
    dirty_containers_.push_back(container.name);
    extras_[container.name].exited->notify();
  }
  // It ended while its start was still on the way back from the work pool.
  if (!is_known) early_exits_.insert(container_id);
  changed_.notify();
}

void PodWorker::on_config_change() {
  config_changed_ = true;
  changed_.notify();
}

bool PodWorker::wants_termination() {
  if (removed_ || record_.terminating || record_.is_evicted) return true;
  if (!record_.pod["metadata"]["deletionTimestamp"].empty()) return true;
  if (is_terminal_phase(record_.pod["status"]["phase"].as_string())) return true;
  if (is_past_deadline(record_, context_.age_of())) {
    record_.failed_reason = "DeadlineExceeded";
    record_.failed_message = "Pod was active on the node longer than the specified deadline";
    return true;
  }
  if (is_admitted_) return false;
  bool is_new = machine_.state() == S::waiting &&
                std::none_of(record_.containers.begin(), record_.containers.end(),
                             [](const auto& c) { return c.current.has_value(); });
  std::optional<Refusal> refusal;
  if (is_new && hooks_.admit) refusal = hooks_.admit(record_.pod);
  is_admitted_ = !refusal;
  if (refusal) {
    record_.is_refused = true;
    record_.failed_reason = refusal->reason;
    record_.failed_message = refusal->message;
    return true;
  }
  return false;
}

bool PodWorker::is_over_by_plan() {
  bool any_run = std::any_of(record_.containers.begin(), record_.containers.end(),
                             [](const auto& c) { return c.current.has_value(); });
  return any_run && plan_actions(record_, context_.monotonic()).is_done;
}

base::Task<void> PodWorker::run(base::CancelToken stop) {
  stop_ = stop;
  starting_ = base::CancelSource::child_of(stop);
  if (wants_termination()) starting_.cancel();
  base::TaskScope scope(*context_.options.executor);
  base::CancelCallback cancel_writer(stop, [&scope] { scope.cancel(); });
  scope.spawn(writer_.run(scope.token()));
  scope.spawn(watch_storage(scope.token()));
  std::string space(record_.pod["metadata"]["namespace"].as_string());
  if (machine_.state() != S::finished)
    context_.configs->retain(uid_, space, plan_config_names(record_.pod));
  if (machine_.state() == S::running) {
    publish_host_ports();
    sandbox_dirty_ = true;
    for (auto& container : record_.containers) {
      if (!container.is_running()) continue;
      // It may have ended since it was adopted.
      dirty_containers_.push_back(container.name);
      start_probes(container);
    }
  }
  while (!stop.is_cancelled() && machine_.state() != S::gone) {
    switch (machine_.state()) {
      case S::waiting: co_await be_waiting(); break;
      case S::running: co_await be_running(); break;
      case S::terminating: co_await be_terminating(); break;
      case S::cleaning: co_await be_cleaning(); break;
      case S::finished: co_await be_finished(); break;
      case S::preparing:
      case S::gone: SKIFF_UNREACHABLE();
    }
  }
  co_await probes_.join();
  cancel_writer.reset();
  scope.cancel();
  co_await scope.join();
  context_.configs->release(uid_);
}

base::Task<void> PodWorker::be_waiting() {
  if (wants_termination() || is_over_by_plan()) {
    machine_.move_to(S::terminating);
    co_return;
  }
  if (!record_.started_at) record_.started_at = context_.now();
  publish();
  if (context_.monotonic() < retry_.not_before) {
    co_await wait_until(changed_, context_.timers(), retry_.not_before, stop_);
    if (!config_changed_) co_return;
  }
  config_changed_ = false;
  machine_.move_to(S::preparing);
  base::Status status = co_await prepare();
  if (status.is_ok()) {
    retry_ = Retry{};
    record_.sandbox_ready = true;
    volumes_ready_ = true;
    machine_.move_to(S::running);
    co_return;
  }
  machine_.move_to(S::waiting);
  retry_.pause = retry_.pause.count() == 0
                     ? kPrepareRetryInitial
                     : std::min<base::Duration>(retry_.pause * 2, kPrepareRetryMax);
  retry_.not_before = context_.monotonic() + retry_.pause;
}

base::Task<base::Status> PodWorker::prepare() {
  const auto& steps = step_list();
  base::Status status;
  std::size_t done = 0;
  for (; done < steps.size() && status.is_ok(); ++done) {
    if (starting_.is_cancelled()) {
      status = base::cancelled("the pod is being stopped");
      break;
    }
    auto task = (this->*steps[done].apply)();
    status = co_await std::move(task);
    if (!status.is_ok()) break;
  }
  if (status.is_ok() && starting_.is_cancelled() && !stop_.is_cancelled())
    status = base::cancelled("the pod is being stopped");
  if (status.is_ok()) co_return status;
  base::log_info("a pod did not come up", {{"pod", format_pod(record_.pod)}, {"error", status}});
  // A step that failed half-way is undone too.
  for (std::size_t i = std::min(done + 1, steps.size()); i-- > 0;) {
    auto task = (this->*steps[i].undo)();
    co_await std::move(task);
  }
  co_return status;
}

base::Task<void> PodWorker::be_running() {
  co_await refresh_dirty();
  if (sandbox_dirty_) {
    co_await refresh_sandbox();
    if (machine_.state() != S::running) co_return;
  }
  if (wants_termination()) {
    machine_.move_to(S::terminating);
    co_return;
  }
  co_await stop_unhealthy();
  PodActions actions = plan_actions(record_, context_.monotonic());
  if (actions.is_done) {
    machine_.move_to(S::terminating);
    co_return;
  }
  co_await keep_volumes_fresh();
  show_back_off(actions.back_off);
  publish();
  bool acted = false;
  for (const auto& name : actions.start) {
    if (starting_.is_cancelled()) break;
    co_await start_container(name);
    publish();
    acted = true;
  }
  // What was started may have changed what comes next (an init container that ended at once).
  if (acted || stop_.is_cancelled()) co_return;
  std::optional<base::MonotonicTime> until = actions.look_again_at;
  auto sooner = [&](base::MonotonicTime when) {
    if (!until || when < *until) until = when;
  };
  if (auto left = time_to_deadline(record_, context_.age_of()))
    sooner(context_.monotonic() + *left);
  if (tokens_refresh_at_) sooner(*tokens_refresh_at_);
  for (const auto& [name, extra] : extras_)
    if (extra.show_back_off_at > context_.monotonic()) sooner(extra.show_back_off_at);
  if (!volumes_ready_) sooner(retry_.not_before);
  co_await wait_until(changed_, context_.timers(), until, stop_);
}

base::Task<void> PodWorker::be_cleaning() {
  publish();
  if (!removed_) {
    bool written = co_await writer_.flush(stop_);
    if (!written) co_return;
    // So that nothing of it runs again after a restart, even if the API is asked too early.
    std::string text = codec::write_json(record_.pod["status"]);
    std::string path = context_.pod_dir(uid_) + "/finished.json";
    auto save = [path, text] {
      SKIFF_RETURN_IF_ERROR(sys::make_folders(path.substr(0, path.rfind('/'))));
      return sys::write_file_atomic(path, text);
    };
    auto saved = co_await loop::run_blocking(*context_.options.work, std::move(save));
    if (!saved.is_ok())
      base::log_warning("final status of a pod was not saved", {{"error", saved}});
  }
  co_await probes_.join();
  if (has_host_ports_) hooks_.host_ports(uid_, {});
  has_host_ports_ = false;
  auto* runtime = context_.options.runtime;
  auto* network = hooks_.network;
  auto folders_here = folders();
  std::string uid = uid_;
  auto clean = [runtime, network, folders_here, uid]() -> base::Status {
    SKIFF_RETURN_IF_ERROR(runtime->remove_pod(uid));
    if (network != nullptr) SKIFF_RETURN_IF_ERROR(network->detach(uid));
    return tear_down_volumes(folders_here);
  };
  auto status = co_await loop::run_blocking(*context_.options.work, std::move(clean));
  if (!status.is_ok()) {
    base::log_warning("a pod is not cleaned up yet",
                      {{"pod", format_pod(record_.pod)}, {"error", status}});
    co_await base::sleep(context_.timers(), kConfigRetry, stop_);
    co_return;
  }
  record_.sandbox_ready = false;
  context_.configs->release(uid_);
  context_.tokens->release(uid_);
  context_.puller->forget(uid_);
  machine_.move_to(S::finished);
  if (!removed_) publish();
}

base::Task<void> PodWorker::be_finished() {
  if (removed_) {
    std::string pod_dir = context_.pod_dir(uid_);
    std::string logs = log_folder(context_.options.data_dir, record_.pod, "");
    auto forget = [pod_dir, logs]() -> base::Status {
      SKIFF_RETURN_IF_ERROR(sys::remove_tree(logs));
      return sys::remove_tree(pod_dir);
    };
    auto status = co_await loop::run_blocking(*context_.options.work, std::move(forget));
    if (!status.is_ok())
      base::log_warning("files of a pod stay behind", {{"uid", uid_}, {"error", status}});
    machine_.move_to(S::gone);
    co_return;
  }
  std::optional<base::MonotonicTime> retry_at;
  if (!record_.pod["metadata"]["deletionTimestamp"].empty()) {
    bool written = co_await writer_.flush(stop_);
    if (!written) co_return;
    client::DeleteOptions options;
    options.grace_period_seconds = 0;
    options.uid = uid_;
    std::string space(record_.pod["metadata"]["namespace"].as_string());
    std::string name(record_.pod["metadata"]["name"].as_string());
    auto task = context_.options.client->remove(client::resources::pods, space, name, options);
    auto status = co_await std::move(task);
    if (status.code() == base::Code::not_found || status.code() == base::Code::conflict) {
      // Another pod of that name, or none: this one is gone.
      removed_ = true;
      co_return;
    }
    // As it is now: it may have changed meanwhile.
    if (status.is_ok() && record_.pod["metadata"]["finalizers"].empty()) {
      removed_ = true;
      co_return;
    }
    retry_at = context_.monotonic() + kConfigRetry;
  }
  co_await wait_until(changed_, context_.timers(), retry_at, stop_);
}

}  // namespace skiff::agent
