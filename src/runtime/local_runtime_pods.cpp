#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/loop/loop.h>
#include <skiff/sys/files.h>
#include <skiff/sys/mounts.h>
#include <skiff/sys/namespaces.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/limits.h"
#include "runtime/local_runtime.h"

namespace skiff::runtime {
namespace {

using base::concat;

bool is_uid(std::string_view uid) {
  return !uid.empty() && uid.size() <= kIdBytesMax && uid[0] != '.' &&
         std::all_of(uid.begin(), uid.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

base::Status check_options(const PodOptions& options) {
  if (!is_uid(options.uid))
    return base::invalid_argument(concat("bad pod uid ", base::quote(options.uid)));
  if (options.cgroup_parent.find("..") != std::string::npos)
    return base::invalid_argument(concat("bad cgroup ", base::quote(options.cgroup_parent)));
  if (options.hostname.size() > 64)
    return base::invalid_argument(concat("hostname is over 64 characters: ", options.hostname));
  for (const auto& [name, value] : options.sysctls) {
    bool is_network = base::starts_with(name, "net.");
    bool is_ipc = base::starts_with(name, "kernel.shm") || base::starts_with(name, "kernel.msg") ||
                  name == "kernel.sem" || base::starts_with(name, "fs.mqueue.");
    // Anything else is the host's, or the host's because the pod shares it.
    if (name.find('/') != std::string::npos || name.find("..") != std::string::npos ||
        (is_network ? options.host_network : !is_ipc || options.host_ipc))
      return base::invalid_argument(concat("sysctl ", base::quote(name), " is not the pod's own"));
  }
  return {};
}

std::string shim_flags(const PodOptions& options) {
  std::string flags = "-";
  if (!options.host_network) flags += "nu";
  if (!options.host_ipc) flags += "i";
  if (options.share_process_namespace && !options.host_pid) flags += "p";
  return flags;
}

// What the shim writes once: "ok <pid> <init>\n" or what went wrong.
base::Result<std::pair<int, int>> read_answer(int fd) {
  std::string text;
  for (;;) {
    pollfd ready{fd, POLLIN, 0};
    int got = poll(&ready, 1, kShimStartMs);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return base::unavailable("the supervisor does not start");
    char buffer[256];
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.find('\n') != std::string::npos) break;
  }
  auto fields = base::split(base::trim(text), ' ');
  if (fields.size() == 3 && fields[0] == "ok") {
    auto pid = base::parse_int(fields[1]), init = base::parse_int(fields[2]);
    if (pid && init) return std::pair(static_cast<int>(*pid), static_cast<int>(*init));
  }
  return base::internal_error(concat("start of the pod's supervisor: ", base::trim(text)));
}

void wait_for_end(const sys::ProcessId& process, int timeout_ms) {
  base::UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0)));
  for (int waited = 0; waited < timeout_ms && sys::is_process_alive(process);) {
    if (pidfd) {
      pollfd ended{pidfd.get(), POLLIN, 0};
      poll(&ended, 1, timeout_ms);
      return;
    }
    poll(nullptr, 0, kPollMs);  // before Linux 5.3
    waited += kPollMs;
  }
}

// "burstable" of "burstable/pod1"; empty for a pod that is in none.
std::string group_of(const PodOptions& options) {
  auto slash = options.cgroup_parent.find('/');
  return slash == std::string::npos ? std::string() : options.cgroup_parent.substr(0, slash);
}

}  // namespace

std::string LocalRuntime::pod_cgroup(const PodOptions& options) const {
  return options.cgroup_parent.empty() ? concat(options_.cgroup_parent, "/pod", options.uid)
                                       : concat(options_.cgroup_parent, "/", options.cgroup_parent);
}

sys::CgroupLimits cgroup_limits(const Resources& resources) {
  sys::CgroupLimits limits;
  limits.cpu_shares = resources.cpu_shares;
  limits.cpu_quota_us = resources.cpu_quota_us;
  limits.cpu_period_us = resources.cpu_period_us;
  limits.memory_limit_bytes = resources.memory_limit_bytes;
  limits.pids_limit = resources.pids_limit;
  return limits;
}

void LocalRuntime::weigh_group(const PodOptions& options) {
  const std::string group = group_of(options);
  if (group.empty()) return;
  std::uint64_t shares = kCpuSharesMin;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [uid, record] : pods_) {
      const auto own = record.options.resources.cpu_shares;
      if (own > kCpuSharesMin && group_of(record.options) == group) shares += own;
    }
  }
  sys::CgroupLimits limits;
  limits.cpu_shares = shares;
  const std::string path = concat(options_.cgroup_parent, "/", group);
  auto set = cgroups_->create(path);
  if (set.is_ok()) set = cgroups_->set_limits(path, limits);
  if (!set.is_ok())
    base::log_warning("a group of pods keeps its weight", {{"group", group}, {"error", set}});
}

base::Status LocalRuntime::start_shim(const PodOptions& options, PodRecord& record) {
  SKIFF_ASSIGN_OR_RETURN(auto listener, listen_shim(pod_folder(options.uid)));
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return base::errno_status(errno, "pipe");
  base::UniqueFd reader(fds[0]), writer(fds[1]);
  sys::SpawnOptions spawn;
  spawn.argv = {shim_path_, shim_flags(options), options.hostname};
  for (const auto& [name, value] : options.sysctls) spawn.argv.push_back(concat(name, "=", value));
  spawn.descriptors = {{listener.get(), 3}, {writer.get(), 4}};
  spawn.env = oci_environment();
  spawn.new_session = true;
  SKIFF_ASSIGN_OR_RETURN(int parent, sys::spawn_process(spawn));
  writer.reset();
  auto answer = read_answer(reader.get());
  if (!answer.is_ok()) kill(parent, SIGKILL);
  SKIFF_RETURN_IF_ERROR(sys::wait_process(parent));
  if (!answer.is_ok()) return answer.status();
  record.init_pid = answer->second;
  SKIFF_ASSIGN_OR_RETURN(record.shim, sys::identify_process(answer->first));
  // Out of whatever group skiff is in: neither its limits nor the pod's are the shim's.
  std::string group = concat(options_.cgroup_parent, "/shims");
  SKIFF_RETURN_IF_ERROR(cgroups_->create(group));
  return cgroups_->add_process(group, record.shim.pid);
}

base::Status LocalRuntime::set_up_pod(const PodOptions& options, PodRecord& record) {
  std::string folder = pod_folder(options.uid);
  SKIFF_RETURN_IF_ERROR(sys::make_folders(folder, 0700));
  SKIFF_RETURN_IF_ERROR(cgroups_->create(pod_cgroup(options)));
  SKIFF_RETURN_IF_ERROR(
      cgroups_->set_limits(pod_cgroup(options), cgroup_limits(options.resources)));
  if (!options.host_ipc) {
    SKIFF_RETURN_IF_ERROR(sys::make_folders(folder + "/shm"));
    SKIFF_RETURN_IF_ERROR(sys::mount("shm", folder + "/shm", "tmpfs",
                                     {"nosuid", "nodev", "noexec", "mode=1777", "size=65536k"}));
  }
  SKIFF_RETURN_IF_ERROR(start_shim(options, record));
  // Not synced: a pod does not survive a power cut.
  SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(pod_record_path(options.uid),
                                               write_pod_record(record), 0600, sys::Sync::no));
  return watcher_->watch(options.uid, folder);
}

base::Result<PodSandbox> LocalRuntime::create_pod(const PodOptions& options) {
  SKIFF_RETURN_IF_ERROR(check_options(options));
  {
    std::lock_guard lock(mutex_);
    if (pods_.count(options.uid) != 0)
      return base::Status(base::Code::already_exists, concat("pod ", options.uid, " exists"));
  }
  PodRecord record;
  record.options = options;
  record.created_at = loop::real_clock().now();
  auto status = set_up_pod(options, record);
  if (!status.is_ok()) {
    if (auto cleaned = tear_down_pod(record); !cleaned.is_ok())
      base::log_warning("a pod that did not start leaves something behind",
                        {{"pod", options.uid}, {"error", cleaned}});
    return status.with_context("create pod sandbox");
  }
  {
    std::lock_guard lock(mutex_);
    pods_[options.uid] = record;
  }
  weigh_group(options);
  return sandbox_of(record);
}

PodSandbox LocalRuntime::sandbox_of(const PodRecord& record) const {
  PodSandbox sandbox;
  sandbox.uid = record.options.uid;
  sandbox.created_at = record.created_at;
  sandbox.shim_pid = record.shim.pid;
  bool alive = sys::is_process_alive(record.shim);
  sandbox.state = alive ? PodState::running : PodState::stopped;
  if (alive && !record.options.host_network)
    sandbox.network_namespace_path = sys::namespace_path(record.shim.pid, "net");
  return sandbox;
}

base::Result<PodRecord> LocalRuntime::find_pod(const std::string& uid) {
  std::lock_guard lock(mutex_);
  auto found = pods_.find(uid);
  if (found == pods_.end()) return base::not_found(concat("pod ", uid, " is not here"));
  return found->second;
}

base::Result<PodSandbox> LocalRuntime::pod(const std::string& uid) {
  SKIFF_ASSIGN_OR_RETURN(auto record, find_pod(uid));
  return sandbox_of(record);
}

base::Status LocalRuntime::end_shim(const PodRecord& record) {
  if (!sys::is_process_alive(record.shim)) return {};
  auto asked =
      ask_shim(pod_folder(record.options.uid), ShimRequest(SHIM_SHUTDOWN), {}, kShimRequestMs);
  if (asked.is_ok()) wait_for_end(record.shim, kShimEndMs);
  if (sys::is_process_alive(record.shim)) {
    (void)sys::signal_process(record.shim, SIGKILL);
    wait_for_end(record.shim, kShimEndMs);
  }
  return {};
}

base::Status LocalRuntime::tear_down_pod(const PodRecord& record) {
  const std::string& uid = record.options.uid;
  watcher_->forget(uid);
  SKIFF_RETURN_IF_ERROR(sys::kill_cgroup(*cgroups_, pod_cgroup(record.options), kKillMs));
  SKIFF_RETURN_IF_ERROR(end_shim(record));
  SKIFF_RETURN_IF_ERROR(sys::unmount(pod_folder(uid) + "/shm"));
  SKIFF_RETURN_IF_ERROR(cgroups_->remove(pod_cgroup(record.options)));
  SKIFF_RETURN_IF_ERROR(sys::remove_tree(pod_folder(uid)));
  return sys::remove_tree(pod_record_path(uid));
}

base::Status LocalRuntime::remove_pod(const std::string& uid) {
  auto record = find_pod(uid);
  std::vector<Container> own;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, container] : containers_)
      if (container.record.pod_uid == uid) own.push_back(container);
  }
  // Their ends are expected from here on: nobody is told.
  watcher_->forget(uid);
  for (const auto& container : own) {
    if (!container.exit) SKIFF_RETURN_IF_ERROR(kill_container(container));
    SKIFF_RETURN_IF_ERROR(discard_container(container.record.id));
  }
  // A power cut may take the record of a pod and leave those of its containers, which are synced.
  if (!record.is_ok()) return {};
  SKIFF_RETURN_IF_ERROR(tear_down_pod(*record).with_context(concat("remove pod ", uid)));
  {
    std::lock_guard lock(mutex_);
    pods_.erase(uid);
  }
  weigh_group(record->options);
  return {};
}

base::Status LocalRuntime::adopt_pod(const std::string& uid) {
  SKIFF_ASSIGN_OR_RETURN(auto text, sys::read_file(pod_record_path(uid), kRecordBytesMax));
  SKIFF_ASSIGN_OR_RETURN(auto record, parse_pod_record(text));
  if (record.options.uid != uid)
    return base::Status(base::Code::data_loss, concat("record of pod ", uid, " names another"));
  {
    std::lock_guard lock(mutex_);
    pods_[uid] = record;
  }
  if (!sys::is_process_alive(record.shim)) return {};
  return watcher_->watch(uid, pod_folder(uid));
}

base::Status LocalRuntime::adopt_container(const std::string& id) {
  SKIFF_ASSIGN_OR_RETURN(auto text,
                         sys::read_file(container_folder(id) + "/record.json", kRecordBytesMax));
  Container container;
  SKIFF_ASSIGN_OR_RETURN(container.record, parse_container_record(text));
  if (container.record.id != id)
    return base::Status(base::Code::data_loss,
                        concat("record of container ", id, " names another"));
  if (auto started = sys::read_file(container_folder(id) + "/started", kRecordBytesMax);
      started.is_ok())
    container.started_at = base::WallTime{base::parse_int(base::trim(*started)).value_or(0)};
  const std::string uid = container.record.pod_uid;
  ShimRequest request(SHIM_STATUS);
  request.text(SHIM_TAG_ID, id);
  auto reply = ask_shim(pod_folder(uid), request, {}, kShimRequestMs);
  if (reply.is_ok() && reply->pid > 0) {
    container.process.pid = reply->pid;
    if (auto process = sys::identify_process(reply->pid); process.is_ok())
      container.process = *process;
  }
  {
    std::lock_guard lock(mutex_);
    containers_[id] = container;
  }
  if (load_exit(id)) return {};
  if (reply.is_ok() && reply->pid > 0) {
    // A terminal that skiff had not handed over yet is lost with the skiff that had it.
    if (container.record.tty && !container.started_at) return kill_container(container);
    return {};
  }
  if (!container.started_at) return discard_container(id);  // it never ran
  (void)sys::kill_cgroup(*cgroups_, container.record.cgroup_path, kKillMs);
  note_lost(id);
  return {};
}

// What a skiff that was killed while it made something has left without a record.
void LocalRuntime::remove_orphans() {
  auto each_unknown = [&](const std::string& folder, const auto& known, auto remove) {
    for (const auto& name : sys::list_folder(folder).value_or({})) {
      {
        std::lock_guard lock(mutex_);
        if (known.count(name) != 0) continue;
      }
      base::log_info("left-over of an earlier run is removed",
                     {{"path", concat(folder, "/", name)}});
      if (base::Status status = remove(name); !status.is_ok())
        base::log_warning("left-over cannot be removed", {{"name", name}, {"error", status}});
    }
  };
  each_unknown(options_.runtime_dir + "/runc", containers_,
               [&](const std::string& id) { return oci_.remove(id); });
  each_unknown(options_.runtime_dir + "/bundles", containers_,
               [&](const std::string& id) { return sys::remove_tree(bundle_folder(id)); });
  each_unknown(store_.snapshots_folder(), containers_,
               [&](const std::string& id) { return store_.remove_snapshot(id); });
  each_unknown(options_.runtime_dir + "/pods", pods_, [&](const std::string& uid) {
    (void)ask_shim(pod_folder(uid), ShimRequest(SHIM_SHUTDOWN), {}, kShimRequestMs);
    SKIFF_RETURN_IF_ERROR(sys::unmount(pod_folder(uid) + "/shm"));
    return sys::remove_tree(pod_folder(uid));
  });
}

base::Result<Runtime::Adopted> LocalRuntime::adopt() {
  SKIFF_ASSIGN_OR_RETURN(auto pod_files, sys::list_folder(state_dir_ + "/pods"));
  for (const auto& name : pod_files) {
    if (!base::ends_with(name, ".json")) {
      (void)sys::remove_tree(concat(state_dir_, "/pods/", name));
      continue;
    }
    std::string uid = name.substr(0, name.size() - 5);
    auto status = adopt_pod(uid);
    if (status.is_ok()) continue;
    base::log_warning("pod cannot be adopted", {{"pod", uid}, {"error", status}});
    if (status.code() == base::Code::data_loss) (void)sys::remove_tree(pod_record_path(uid));
  }
  SKIFF_ASSIGN_OR_RETURN(auto ids, sys::list_folder(state_dir_ + "/containers"));
  for (const auto& id : ids) {
    auto status = adopt_container(id);
    if (status.is_ok()) continue;
    base::log_warning("container cannot be adopted and is removed",
                      {{"container", id}, {"error", status}});
    (void)discard_container(id);
  }
  remove_orphans();
  Adopted adopted;
  std::lock_guard lock(mutex_);
  for (const auto& [uid, record] : pods_) adopted.pods.push_back(sandbox_of(record));
  for (const auto& [id, container] : containers_)
    adopted.containers.push_back(status_of(container));
  return adopted;
}

}  // namespace skiff::runtime
