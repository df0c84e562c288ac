// Starting containers, and noticing how they end.
#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>
#include <skiff/sys/files.h>

#include "agent/container/termination_message.h"
#include "agent/images/image_puller.h"
#include "agent/limits.h"
#include "agent/pod/config_cache.h"
#include "agent/pod/plan_restart.h"
#include "agent/pod/pod_worker.h"

#include <algorithm>

namespace skiff::agent {

using client::EventType;

namespace {

// ErrImagePull and RunContainerError stay visible for this long before they become a back-off.
constexpr base::Duration kErrorShown = 2s;

base::Status check_non_root(const runtime::ContainerOptions& options, const runtime::Image& image,
                            const codec::Json& pod) {
  if (!options.run_as_non_root) return {};
  std::string where =
      base::concat("(pod: \"", format_pod(pod), "\", container: ", options.name, ")");
  if (options.run_as_user) {
    if (*options.run_as_user != 0) return {};
    return base::invalid_argument(
        base::concat("container's runAsUser breaks non-root policy ", where));
  }
  std::string user = image.config.user.substr(0, image.config.user.find(':'));
  if (user.empty() || user == "0" || user == "root")
    return base::invalid_argument(
        base::concat("container has runAsNonRoot and image will run as root ", where));
  if (!base::parse_int(user))
    return base::invalid_argument(
        base::concat("container has runAsNonRoot and image has non-numeric user (", user,
                     "), cannot verify user is non-root ", where));
  return {};
}

runtime::Mount file_mount(std::string source, std::string destination, bool read_only) {
  runtime::Mount mount;
  mount.source = std::move(source);
  mount.destination = std::move(destination);
  mount.options = {"rbind", "rprivate", read_only ? "ro" : "rw"};
  return mount;
}

bool has_mount(const std::vector<runtime::Mount>& mounts, std::string_view destination) {
  return std::any_of(mounts.begin(), mounts.end(),
                     [&](const auto& mount) { return mount.destination == destination; });
}

std::string new_container_id(base::Random& random) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string id(64, '0');
  for (char& c : id) c = kDigits[random.below(16)];
  return id;
}

}  // namespace

void PodWorker::note_exit(ContainerRecord& record) {
  record.started = record.ready = false;
  probes_.stop(record.name);
  base::Duration ran = record.current->status.finished_at - record.current->status.started_at;
  record.not_before = context_.monotonic() + pause_before_restart(record.back_off, ran);
}

base::Task<void> PodWorker::refresh(std::string name) {
  auto* record = record_.find(name);
  if (record == nullptr || !record->is_running()) co_return;
  auto* runtime = context_.options.runtime;
  std::string id = record->current->status.id;
  auto look = [runtime, id, name, data_dir = context_.options.data_dir, pod = record_.pod] {
    ContainerRun run;
    auto status = runtime->container(id);
    if (status) {
      run.status = std::move(*status);
    } else if (status.code() == base::Code::not_found) {
      run.status.id = id;
      run.status.name = name;
      run.status.state = runtime::ContainerState::exited;
      run.status.exit_code = 137;
      run.status.reason = "ContainerStatusUnknown";
      run.status.message = "The container could not be located when the pod was terminated";
    } else {
      run.status.state = runtime::ContainerState::running;
    }
    if (run.has_exited())
      run.termination_message =
          read_termination_message(data_dir, pod, find_container(pod, name), run.status);
    return run;
  };
  auto run = co_await loop::run_blocking(*context_.options.work, std::move(look));
  if (!run.has_exited() || !record->is_running() || record->current->status.id != id) co_return;
  if (run.status.started_at.unix_ns == 0) {
    run.status.attempt = record->current->status.attempt;
    run.status.started_at = record->current->status.started_at;
    run.status.finished_at = context_.now();
  }
  record->current = std::move(run);
  note_exit(*record);
}

base::Task<void> PodWorker::refresh_dirty() {
  std::vector<std::string> names;
  names.swap(dirty_containers_);
  for (const auto& name : names) co_await refresh(name);
}

base::Task<void> PodWorker::refresh_sandbox() {
  sandbox_dirty_ = false;
  auto* runtime = context_.options.runtime;
  std::string uid = uid_;
  auto look = [runtime, uid]() -> base::Result<bool> {
    auto sandbox = runtime->pod(uid);
    if (sandbox) return sandbox->state == runtime::PodState::running;
    if (sandbox.code() == base::Code::not_found) return false;
    return sandbox.status();
  };
  auto is_running = co_await loop::run_blocking(*context_.options.work, std::move(look));
  if (!is_running || *is_running) co_return;
  event(EventType::normal, "SandboxChanged",
        "Pod sandbox changed, it will be killed and re-created.");
  std::vector<std::string> names;
  for (const auto& container : record_.containers)
    if (container.is_running()) names.push_back(container.name);
  for (const auto& name : names) co_await refresh(name);
  for (auto& container : record_.containers) {
    if (!container.is_running()) continue;
    container.current->status.state = runtime::ContainerState::exited;
    container.current->status.exit_code = 137;
    container.current->status.reason = "Error";
    container.current->status.finished_at = context_.now();
    note_exit(container);
  }
  co_await undo_network();
  co_await undo_sandbox();
  record_.sandbox_ready = false;
  volumes_ready_ = false;
  machine_.move_to(PodPhaseState::waiting);
}

void PodWorker::show_back_off(const std::vector<std::string>& names) {
  for (const auto& name : names) {
    auto* record = record_.find(name);
    auto& extra = extras_[name];
    if (extra.pull_failed) {
      if (context_.monotonic() < extra.show_back_off_at) continue;
      const auto& spec = find_container(record_.pod, name);
      std::string image(spec["image"].as_string());
      WaitingState waiting{"ImagePullBackOff",
                           base::concat("Back-off pulling image ", base::quote(image),
                                        ": ErrImagePull: ", extra.failed_message)};
      if (record->waiting && record->waiting->reason == waiting.reason) continue;
      event(EventType::normal, "BackOff",
            base::concat("Back-off pulling image ", base::quote(image)), name);
      event(EventType::warning, "Failed", "Error: ImagePullBackOff", name);
      record->waiting = std::move(waiting);
    } else if (record->waiting && record->waiting->reason == "RunContainerError" &&
               context_.monotonic() < extra.show_back_off_at) {
      continue;
    } else if (record->has_exited() &&
               (!record->waiting || record->waiting->reason == "RunContainerError")) {
      record->waiting =
          WaitingState{"CrashLoopBackOff", back_off_message(record->back_off, name, record_.pod)};
      event(EventType::warning, "BackOff",
            base::concat("Back-off restarting failed container ", name, " in pod ",
                         format_pod(record_.pod)),
            name);
    }
  }
}

void PodWorker::fail_start(ContainerRecord& record, std::string reason, std::string message,
                           base::MonotonicTime retry_at) {
  record.waiting = WaitingState{std::move(reason), std::move(message)};
  record.not_before = retry_at;
}

// The process never ran, but the attempt counts: exit code 128, as containerd reports it.
void PodWorker::fail_run(ContainerRecord& record, const runtime::ContainerOptions& options,
                         std::string message) {
  event(EventType::warning, "Failed", base::concat("Error: ", message), record.name);
  ContainerRun run;
  run.status.id = options.id;
  run.status.name = record.name;
  run.status.pod_uid = uid_;
  run.status.attempt = options.attempt;
  run.status.state = runtime::ContainerState::exited;
  run.status.exit_code = 128;
  run.status.reason = "StartError";
  run.status.finished_at = context_.now();
  run.termination_message = message;
  if (record.has_exited()) record.previous = std::move(record.current);
  base::Duration pause = pause_before_restart(record.back_off, base::Duration(0));
  record.back_off = registered_after_restart(record.back_off, base::Duration(0));
  if (pause.count() == 0) pause = record.back_off;
  record.current = std::move(run);
  record.is_of_lost_sandbox = false;
  record.restart_count = options.attempt;
  record.waiting = WaitingState{"RunContainerError", std::move(message)};
  extras_[record.name].show_back_off_at = context_.monotonic() + kErrorShown;
  record.not_before = context_.monotonic() + pause;
}

base::Task<void> PodWorker::start_container(std::string name) {
  auto* record = record_.find(name);
  auto& extra = extras_[name];
  const codec::Json spec = find_container(record_.pod, name);
  if (!volumes_ready_) {
    retry_.not_before = base::MonotonicTime{};
    co_await keep_volumes_fresh();
    if (!volumes_ready_) {
      fail_start(*record, "ContainerCreating", "", context_.monotonic() + kConfigRetry);
      co_return;
    }
  }
  std::string space(record_.pod["metadata"]["namespace"].as_string());
  auto fetch = context_.configs->fetch(space, plan_config_names(record_.pod), starting_.token());
  auto sources = co_await std::move(fetch);
  if (starting_.is_cancelled()) co_return;
  if (!sources) {
    fail_start(*record, "CreateContainerConfigError", std::string(sources.status().message()),
               context_.monotonic() + kConfigRetry);
    co_return;
  }
  auto ensure = context_.puller->ensure(record_.pod, spec, container_field_path(record_.pod, name),
                                        *sources, starting_.token());
  PullOutcome outcome = co_await std::move(ensure);
  if (starting_.is_cancelled()) co_return;
  extra.pull_failed = false;
  if (!outcome.image) {
    extra.pull_failed = outcome.failure.reason == "ErrImagePull";
    extra.failed_message = outcome.failure.message;
    extra.show_back_off_at = context_.monotonic() + kErrorShown;
    fail_start(*record, outcome.failure.reason, outcome.failure.message, outcome.failure.retry_at);
    co_return;
  }
  auto make = make_options(name, *outcome.image, std::move(*sources));
  auto options = co_await std::move(make);
  if (starting_.is_cancelled()) co_return;
  if (!options) {
    std::string message(options.status().message());
    event(EventType::warning, "Failed", base::concat("Error: ", message), name);
    fail_start(*record, "CreateContainerConfigError", message, context_.monotonic() + kConfigRetry);
    co_return;
  }
  co_await launch(name, std::move(*options), std::move(*outcome.image));
}

base::Task<base::Result<runtime::ContainerOptions>> PodWorker::make_options(std::string name,
                                                                            runtime::Image image,
                                                                            ConfigSources sources) {
  auto* record = record_.find(name);
  const codec::Json spec = find_container(record_.pod, name);
  std::vector<codec::Json> services;
  if (context_.services != nullptr) {
    std::string space(record_.pod["metadata"]["namespace"].as_string());
    bool synced = co_await context_.services->wait_synced(starting_.token());
    if (!synced) co_return base::cancelled("the pod is being stopped");
    for (const auto& object : context_.services->list(space))
      if (auto tree = object.parse()) services.push_back(std::move(*tree));
    auto master = context_.services->get("default/kubernetes");
    if (space != "default" && !master.empty())
      if (auto tree = master.parse()) services.push_back(std::move(*tree));
  }
  EnvInput input{record_.pod, spec, record_.pod_ip, context_.node, sources, services};
  auto env = plan_env(input);
  if (!env) co_return env.status();
  runtime::ContainerOptions options;
  auto security = plan_container_security(record_.pod, spec, options);
  if (!security.is_ok()) co_return security;
  options.id = new_container_id(*context_.options.random);
  options.pod_uid = uid_;
  options.name = name;
  options.attempt = record->current ? record->restart_count + 1 : record->restart_count;
  options.image_id = image.id;
  auto non_root = check_non_root(options, image, record_.pod);
  if (!non_root.is_ok()) co_return non_root;
  options.command = plan_arguments(spec["command"], *env);
  options.args = plan_arguments(spec["args"], *env);
  options.resources = plan_resources(record_.pod, spec, context_.node.memory_bytes);
  options.log_path = log_path(context_.options.data_dir, record_.pod, name, options.attempt);
  options.log_bytes_max = context_.options.log_bytes_max;
  options.log_files_max = context_.options.log_files_max;
  std::string termination =
      termination_file(context_.options.data_dir, uid_, name, options.attempt);
  auto prepare_files = [folders = folders(), pod = record_.pod, spec, paths = volume_paths_,
                        env = *env, termination,
                        log = options.log_path]() -> base::Result<std::vector<runtime::Mount>> {
    SKIFF_RETURN_IF_ERROR(sys::make_folders(termination.substr(0, termination.rfind('/'))));
    // Containers of any user write it.
    SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(termination, "", 0666, sys::Sync::no));
    SKIFF_RETURN_IF_ERROR(sys::make_folders(log.substr(0, log.rfind('/'))));
    return make_volume_mounts(folders, pod, spec, paths, env);
  };
  auto mounts = co_await loop::run_blocking(*context_.options.work, std::move(prepare_files));
  if (!mounts) co_return mounts.status();
  options.mounts = std::move(*mounts);
  std::string etc = context_.pod_dir(uid_) + "/etc/";
  for (const char* file : {"hosts", "hostname", "resolv.conf"}) {
    std::string destination = base::concat("/etc/", file);
    if (!has_mount(options.mounts, destination))
      options.mounts.push_back(file_mount(etc + file, destination, false));
  }
  std::string message_path(spec["terminationMessagePath"].as_string("/dev/termination-log"));
  if (!message_path.empty()) options.mounts.push_back(file_mount(termination, message_path, false));
  options.env = std::move(*env);
  bool has_hostname = std::any_of(options.env.begin(), options.env.end(),
                                  [](const auto& entry) { return entry.first == "HOSTNAME"; });
  if (!has_hostname)
    options.env.emplace_back("HOSTNAME", plan_hostname(record_.pod, context_.node.node_name));
  co_return options;
}

base::Task<void> PodWorker::launch(std::string name, runtime::ContainerOptions options,
                                   runtime::Image image) {
  auto* record = record_.find(name);
  auto* runtime = context_.options.runtime;
  record->image = image.names.empty() ? image.id : image.names.front();
  auto reference =
      runtime::parse_image_reference(find_container(record_.pod, name)["image"].as_string());
  if (reference && std::find(image.names.begin(), image.names.end(), reference->to_string()) !=
                       image.names.end())
    record->image = reference->to_string();
  record->image_id = image.digests.empty() ? image.id : image.digests.front();
  auto create = [runtime, options] { return runtime->create_container(options); };
  auto created = co_await loop::run_blocking(*context_.options.work, std::move(create));
  if (!created) {
    std::string message(created.status().message());
    auto drop = [runtime, id = options.id] { return runtime->remove_container(id); };
    (void)co_await loop::run_blocking(*context_.options.work, std::move(drop));
    if (created.code() == base::Code::invalid_argument) {
      fail_run(*record, options, std::move(message));
      co_return;
    }
    event(EventType::warning, "Failed", base::concat("Error: ", message), name);
    fail_start(*record, "CreateContainerError", message, context_.monotonic() + kConfigRetry);
    co_return;
  }
  event(EventType::normal, "Created", "Container created", name);
  auto start = [runtime, id = options.id]() -> base::Result<runtime::ContainerStatus> {
    SKIFF_RETURN_IF_ERROR(runtime->start_container(id));
    return runtime->container(id);
  };
  auto started = co_await loop::run_blocking(*context_.options.work, std::move(start));
  if (!started) {
    std::string message(started.status().message());
    auto drop = [runtime, id = options.id] {
      (void)runtime->signal_container(id, 9);
      return runtime->remove_container(id);
    };
    (void)co_await loop::run_blocking(*context_.options.work, std::move(drop));
    fail_run(*record, options, std::move(message));
    co_return;
  }
  event(EventType::normal, "Started", "Container started", name);
  if (record->current) {
    base::Duration ran = record->current->status.finished_at - record->current->status.started_at;
    record->back_off = registered_after_restart(record->back_off, ran);
    auto oldest = std::move(record->previous);
    record->previous = std::move(record->current);
    if (oldest) co_await remove_run(std::move(*oldest));
  }
  const codec::Json spec = find_container(record_.pod, name);
  ContainerRun run;
  run.status = std::move(*started);
  record->current = std::move(run);
  record->is_of_lost_sandbox = false;
  record->restart_count = options.attempt;
  record->waiting.reset();
  if (early_exits_.count(options.id) != 0) dirty_containers_.push_back(name);
  early_exits_.clear();
  if (record->has_exited()) {
    // It was over before anyone could look: as if its end had been told.
    record->current->status.state = runtime::ContainerState::running;
    dirty_containers_.push_back(name);
  }
  co_await run_post_start(name);
  if (!record->is_running()) co_return;
  record->started = spec["startupProbe"].is_null();
  record->ready = record->started && spec["readinessProbe"].is_null();
  start_probes(*record);
}

base::Task<void> PodWorker::run_post_start(std::string name) {
  const codec::Json spec = find_container(record_.pod, name);
  const codec::Json hook = spec["lifecycle"]["postStart"];
  if (hook.is_null()) co_return;
  auto* record = record_.find(name);
  publish();
  auto task =
      run_action(*context_.prober, context_.timers(), ActionUse::hook, hook, spec,
                 record->current->status.id, record_.pod_ip, base::Duration(1h), starting_.token());
  ProbeResult result = co_await std::move(task);
  if (result.is_success || starting_.is_cancelled()) co_return;
  event(EventType::warning, "FailedPostStartHook", "PostStartHook failed", name);
  co_await stop_container(name, "FailedPostStartHook", std::nullopt);
}

void PodWorker::start_probes(const ContainerRecord& record) {
  if (record.kind == ContainerKind::init) return;
  probes_.start(record_.pod, find_container(record_.pod, record.name), record.current->status.id,
                record_.pod_ip, record.current->status.started_at, record.started);
}

base::Task<void> PodWorker::remove_run(ContainerRun run) {
  auto* runtime = context_.options.runtime;
  std::string log =
      log_path(context_.options.data_dir, record_.pod, run.status.name, run.status.attempt);
  std::string message =
      termination_file(context_.options.data_dir, uid_, run.status.name, run.status.attempt);
  std::string id = run.status.id;
  auto remove = [runtime, id, log, message]() -> base::Status {
    auto status = runtime->remove_container(id);
    (void)sys::remove_tree(log);
    (void)sys::remove_tree(message);
    return status;
  };
  auto status = co_await loop::run_blocking(*context_.options.work, std::move(remove));
  if (!status.is_ok() && status.code() != base::Code::not_found)
    base::log_warning("an old container is not removed", {{"id", id}, {"error", status}});
}

}  // namespace skiff::agent
