#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/loop/loop.h>
#include <skiff/sys/features.h>
#include <skiff/sys/files.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>

#include "runtime/limits.h"
#include "runtime/local_runtime.h"

namespace skiff::runtime {
namespace {

using base::concat;

bool is_container_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::string read_in_root(const std::string& root, std::string_view path) {
  base::UniqueFd fd(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return "";
  auto file = sys::open_in_root(fd.get(), path, O_RDONLY | O_NONBLOCK);
  if (!file.is_ok()) return "";
  return sys::read_descriptor(file->get(), kAccountFileBytesMax).value_or("");
}

base::Result<HostDevice> device_at(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return base::errno_status(errno, path);
  if (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode))
    return base::invalid_argument(concat(path, " is not a device"));
  HostDevice device;
  device.path = path;
  device.type = S_ISBLK(info.st_mode) ? 'b' : 'c';
  device.major = major(info.st_rdev);
  device.minor = minor(info.st_rdev);
  device.mode = info.st_mode & 0777;
  device.uid = info.st_uid;
  device.gid = info.st_gid;
  return device;
}

void append_devices(const std::string& folder, std::vector<HostDevice>& out) {
  // These are the container's own, or none.
  static constexpr std::string_view kSkipped[] = {"pts",  "shm",   "fd",     "mqueue", "console",
                                                  "ptmx", "stdin", "stdout", "stderr"};
  for (const auto& name : sys::list_folder(folder).value_or({})) {
    if (std::find(std::begin(kSkipped), std::end(kSkipped), name) != std::end(kSkipped)) continue;
    std::string path = concat(folder, "/", name);
    struct stat info {};
    if (lstat(path.c_str(), &info) != 0 || out.size() >= kDevicesMax) continue;
    if (S_ISDIR(info.st_mode)) {
      append_devices(path, out);
    } else if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
      if (auto device = device_at(path); device.is_ok()) out.push_back(std::move(*device));
    }
  }
}

std::string_view reason_of(const ExitRecord& exit, bool has_started) {
  if (exit.is_lost) return "ContainerStatusUnknown";
  if (!has_started) return "ContainerCannotRun";
  if (exit.oom_killed) return "OOMKilled";
  return exit.exit_code == 0 ? "Completed" : "Error";
}

}  // namespace

base::Result<std::vector<HostDevice>> list_devices(const std::vector<std::string>& paths,
                                                   bool all) {
  std::vector<HostDevice> devices;
  if (all) {
    append_devices("/dev", devices);
    return devices;
  }
  for (const auto& path : paths) {
    SKIFF_ASSIGN_OR_RETURN(auto device, device_at(path));
    devices.push_back(std::move(device));
  }
  return devices;
}

ContainerStatus LocalRuntime::status_of(const Container& container) const {
  const ContainerRecord& record = container.record;
  ContainerStatus status;
  status.id = record.id;
  status.pod_uid = record.pod_uid;
  status.name = record.name;
  status.image_id = record.image_id;
  status.attempt = record.attempt;
  status.created_at = record.created_at;
  status.stop_signal = record.stop_signal;
  status.pid = container.process.pid;
  if (container.started_at) {
    status.state = ContainerState::running;
    status.started_at = *container.started_at;
  }
  if (container.exit) {
    const ExitRecord& exit = *container.exit;
    status.state = ContainerState::exited;
    status.pid = 0;
    status.finished_at = exit.finished_at;
    status.exit_code = exit.exit_code;
    status.exit_signal = exit.signal;
    status.oom_killed = exit.oom_killed;
    status.reason = reason_of(exit, container.started_at.has_value());
    if (exit.is_lost) status.message = "The container's supervisor ended before the container";
  }
  return status;
}

base::Result<LocalRuntime::Container> LocalRuntime::find_container(const std::string& id) {
  std::lock_guard lock(mutex_);
  auto found = containers_.find(id);
  if (found == containers_.end()) return base::not_found(concat("container ", id, " is not here"));
  return found->second;
}

base::Result<ContainerStatus> LocalRuntime::container(const std::string& id) {
  SKIFF_ASSIGN_OR_RETURN(auto container, find_container(id));
  return status_of(container);
}

base::Result<codec::Json> LocalRuntime::make_spec(const ContainerOptions& options,
                                                  const PodRecord& pod, const ImageRecord& image,
                                                  const std::string& root,
                                                  const std::string& cgroup_path) {
  SpecInputs inputs;
  inputs.image = image.image.config;
  SKIFF_ASSIGN_OR_RETURN(inputs.user,
                         resolve_user(options, inputs.image.user, read_in_root(root, "/etc/passwd"),
                                      read_in_root(root, "/etc/group")));
  inputs.root_path = root;
  inputs.pod = pod.options;
  inputs.shim_pid = pod.shim.pid;
  inputs.init_pid = pod.init_pid;
  inputs.cgroup_path = concat("/", cgroup_path);
  inputs.is_cgroup_v2 = cgroups_->mode() == sys::CgroupMode::v2;
  inputs.kills_for_memory_as_one = inputs.is_cgroup_v2 && cgroups_->has_controller("memory");
  inputs.shm_path = pod.options.host_ipc ? "/dev/shm" : pod_folder(pod.options.uid) + "/shm";
  inputs.available_capabilities = available_capabilities_;
  inputs.oom_score_adj_min = oom_score_adj_min_;
  inputs.architecture = sys::machine_architecture();
  SKIFF_ASSIGN_OR_RETURN(inputs.devices, list_devices(options.devices, options.privileged));
  return plan_oci_spec(options, inputs);
}

// The shim runs the OCI runtime, so that the container is the shim's child.
base::Status LocalRuntime::run_create(const ContainerOptions& options, const Container& container) {
  const std::string& id = options.id;
  std::string bundle = bundle_folder(id), log = bundle + "/log";
  std::string console = options.tty ? console_path() : "";
  base::UniqueFd console_fd;
  if (options.tty) {
    SKIFF_ASSIGN_OR_RETURN(console_fd, listen_console(console));
  }
  unsigned flags = 0;
  if (options.tty) flags |= SHIM_FLAG_TERMINAL;
  if (options.stdin_open) flags |= SHIM_FLAG_STDIN;
  if (options.stdin_once) flags |= SHIM_FLAG_STDIN_ONCE;
  ShimRequest request(SHIM_CREATE);
  request.text(SHIM_TAG_ID, id)
      .arguments(oci_.create_command(id, bundle, bundle + "/pid", log, console))
      .text(SHIM_TAG_PID_FILE, bundle + "/pid")
      .text(SHIM_TAG_EXIT_FILE, container_folder(id) + "/exit")
      .number(SHIM_TAG_LOG_BYTES, static_cast<std::uint64_t>(options.log_bytes_max))
      .number(SHIM_TAG_LOG_FILES, static_cast<std::uint64_t>(options.log_files_max))
      .number(SHIM_TAG_FLAGS, flags);
  if (!options.log_path.empty()) request.text(SHIM_TAG_LOG_FILE, options.log_path);
  if (auto oom = cgroups_->oom_file(container.record.cgroup_path); !oom.empty())
    request.text(SHIM_TAG_OOM_FILE, oom);
  std::string folder = pod_folder(options.pod_uid);
  int status = 0;
  auto reply = ask_shim(folder, request, {}, kOciRuntimeMs, &status);
  base::Status result = reply.status();
  if (reply.is_ok() && options.tty) {
    auto master = receive_console(console_fd.get(), kShimRequestMs);
    result = master.status();
    if (master.is_ok()) {
      ShimRequest hand_over(SHIM_CONSOLE);
      hand_over.text(SHIM_TAG_ID, id);
      result = ask_shim(folder, hand_over, {master->get()}, kShimRequestMs).status();
    }
  }
  if (options.tty) (void)sys::remove_tree(console);
  if (!result.is_ok() && status != 0)
    return base::invalid_argument(
        oci_error_text(sys::read_file(log, kRecordBytesMax).value_or(""),
                       concat(options_.oci_runtime, " ended with ", status)));
  if (!result.is_ok()) return result;
  std::lock_guard lock(mutex_);
  auto& process = containers_[id].process;
  process.pid = reply->pid;
  if (auto known = sys::identify_process(reply->pid); known.is_ok()) process = *known;
  return {};
}

base::Result<ContainerStatus> LocalRuntime::create_container(const ContainerOptions& options) {
  if (!is_container_id(options.id))
    return base::invalid_argument(concat("bad container id ", base::quote(options.id)));
  if (find_container(options.id).is_ok())
    return base::Status(base::Code::already_exists, concat("container ", options.id, " exists"));
  SKIFF_ASSIGN_OR_RETURN(auto pod, find_pod(options.pod_uid));
  SKIFF_ASSIGN_OR_RETURN(auto image, store_.load(options.image_id));
  Container container;
  ContainerRecord& record = container.record;
  record.id = options.id;
  record.pod_uid = options.pod_uid;
  record.name = options.name;
  record.attempt = options.attempt;
  record.image_id = options.image_id;
  record.stop_signal =
      image.image.config.stop_signal.empty() ? "SIGTERM" : image.image.config.stop_signal;
  record.log_path = options.log_path;
  record.tty = options.tty;
  record.stdin_open = options.stdin_open;
  record.own_process_namespace = !pod.options.host_pid && pod.init_pid == 0;
  record.created_at = loop::real_clock().now();
  record.cgroup_path = concat(pod_cgroup(pod.options), "/", options.id);
  auto make = [&]() -> base::Status {
    SKIFF_ASSIGN_OR_RETURN(auto root, store_.make_snapshot(options.id, image));
    SKIFF_ASSIGN_OR_RETURN(auto spec, make_spec(options, pod, image, root, record.cgroup_path));
    SKIFF_RETURN_IF_ERROR(sys::make_folders(bundle_folder(options.id), 0700));
    SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(bundle_folder(options.id) + "/config.json",
                                                 codec::write_json(spec), 0600, sys::Sync::no));
    SKIFF_RETURN_IF_ERROR(sys::make_folders(container_folder(options.id), 0700));
    SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(container_folder(options.id) + "/record.json",
                                                 write_container_record(record), 0600));
    {
      std::lock_guard lock(mutex_);
      containers_[options.id] = container;
    }
    return run_create(options, container);
  };
  auto status = make();
  if (!status.is_ok()) {
    if (auto cleaned = discard_container(options.id); !cleaned.is_ok())
      base::log_warning("a container that was not created leaves something behind",
                        {{"container", options.id}, {"error", cleaned}});
    return status;
  }
  store_.touch(options.image_id);
  return this->container(options.id);
}

base::Status LocalRuntime::start_container(const std::string& id) {
  SKIFF_ASSIGN_OR_RETURN(auto container, find_container(id));
  if (container.exit || container.started_at)
    return base::conflict(concat("container ", id, " has been started already"));
  // Noted first: a short process has ended before the OCI runtime returns. Not synced: after a
  // power cut nothing runs, and the exit record says the rest.
  auto note = [&](std::optional<base::WallTime> time) {
    std::lock_guard lock(mutex_);
    containers_[id].started_at = time;
  };
  auto now = loop::real_clock().now();
  std::string file = container_folder(id) + "/started";
  SKIFF_RETURN_IF_ERROR(
      sys::write_file_atomic(file, std::to_string(now.unix_ns), 0600, sys::Sync::no));
  note(now);
  auto status = oci_.start(id);
  if (!status.is_ok()) {
    note(std::nullopt);
    (void)sys::remove_tree(file);
  }
  return status;
}

base::Status LocalRuntime::signal_container(const std::string& id, int signal_number) {
  SKIFF_ASSIGN_OR_RETURN(auto container, find_container(id));
  if (container.exit) return base::not_found(concat("container ", id, " has ended"));
  if (signal_number == SIGKILL && !container.record.own_process_namespace)
    for (int pid : cgroups_->processes(container.record.cgroup_path)) kill(pid, SIGKILL);
  auto status = sys::signal_process(container.process, signal_number);
  // Between its end and its record there is a moment.
  return status.code() == base::Code::not_found ? base::Status() : status;
}

base::Status LocalRuntime::kill_container(const Container& container) {
  if (container.process.pid > 0 && container.process.start_ticks > 0)
    (void)sys::signal_process(container.process, SIGKILL);
  return sys::kill_cgroup(*cgroups_, container.record.cgroup_path, kKillMs);
}

base::Status LocalRuntime::discard_container(const std::string& id) {
  auto container = find_container(id);
  SKIFF_RETURN_IF_ERROR(oci_.remove(id));
  if (container.is_ok()) {
    SKIFF_RETURN_IF_ERROR(kill_container(*container));
    SKIFF_RETURN_IF_ERROR(cgroups_->remove(container->record.cgroup_path));
    ShimRequest forget(SHIM_FORGET);
    forget.text(SHIM_TAG_ID, id);
    (void)ask_shim(pod_folder(container->record.pod_uid), forget, {}, kShimRequestMs);
  }
  SKIFF_RETURN_IF_ERROR(store_.remove_snapshot(id));
  SKIFF_RETURN_IF_ERROR(sys::remove_tree(bundle_folder(id)));
  SKIFF_RETURN_IF_ERROR(sys::remove_tree(container_folder(id)));
  std::lock_guard lock(mutex_);
  containers_.erase(id);
  return {};
}

base::Status LocalRuntime::remove_container(const std::string& id) {
  SKIFF_ASSIGN_OR_RETURN(auto container, find_container(id));
  if (container.started_at && !container.exit)
    return base::conflict(concat("container ", id, " runs"));
  return discard_container(id);
}

base::Status LocalRuntime::update_resources(const std::string& id, const Resources& resources) {
  SKIFF_ASSIGN_OR_RETURN(auto container, find_container(id));
  if (container.exit) return base::not_found(concat("container ", id, " has ended"));
  return cgroups_->set_limits(container.record.cgroup_path, cgroup_limits(resources));
}

base::Result<ContainerUsage> LocalRuntime::usage(const std::string& id) {
  SKIFF_ASSIGN_OR_RETURN(auto container, find_container(id));
  SKIFF_ASSIGN_OR_RETURN(auto used, cgroups_->usage(container.record.cgroup_path));
  ContainerUsage usage;
  usage.cpu_ns = used.cpu_ns;
  usage.memory_bytes = used.memory_bytes;
  usage.memory_working_set_bytes = used.memory_working_set_bytes;
  usage.pids = used.pids;
  return usage;
}

}  // namespace skiff::runtime
