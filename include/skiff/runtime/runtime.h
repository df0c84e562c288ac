// Pods and containers on this host: namespaces and supervisors (one shim per pod), containers
// through an external OCI runtime. Knows no Kubernetes type.
//
// Every call may block (processes, mounts): call from a work pool. Thread-safe; calls about one
// pod must not overlap, except exec and attach. All state is on disk and in the shims, so that a
// restarted skiff adopts what runs.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/result.h>
#include <skiff/base/unique_fd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace skiff::runtime {

struct Resources {
  std::uint64_t cpu_shares = 0;  // v1 shares; converted to weight on v2; 0 = default
  std::int64_t cpu_quota_us = 0, cpu_period_us = 0;  // 0 = none
  std::int64_t memory_limit_bytes = 0;               // 0 = none
  std::int64_t pids_limit = 0;                       // 0 = none
  int oom_score_adj = 0;                             // clamped to what the kernel allows
};

struct PodOptions {
  std::string uid;                   // folder and cgroup name
  std::string namespace_name, name;  // for logs and labels only
  std::string hostname;
  bool host_network = false, host_pid = false, host_ipc = false;
  bool share_process_namespace = false;
  std::string cgroup_parent;  // relative, below the node's parent ("burstable/pod<uid>")
  // Of the pod as a whole; pids and oom_score_adj do not count here. The group above it, if there
  // is one, weighs as much as the pods in it that ask for CPU.
  Resources resources;
  std::vector<std::pair<std::string, std::string>> sysctls;
};

enum class PodState : unsigned char { running, stopped };
struct PodSandbox {
  std::string uid;
  PodState state = PodState::running;
  std::string network_namespace_path;  // empty with host_network; valid while running
  int shim_pid = 0;
  base::WallTime created_at;
};

struct Mount {
  std::string source, destination;
  std::string type = "bind";         // bind, tmpfs, proc, …
  std::vector<std::string> options;  // "ro", "rbind", "rslave", "size=…"
};

struct ContainerOptions {
  std::string id;  // unique on the node: [a-z0-9-], 64 bytes at most
  std::string pod_uid;
  std::string name;
  int attempt = 0;
  std::string image_id;  // "sha256:…" of ImageService
  // Empty: the image's ENTRYPOINT and CMD; `command` replaces both, `args` replaces CMD.
  std::vector<std::string> command, args;
  std::vector<std::pair<std::string, std::string>> env;  // after the image's
  std::string working_dir;                               // empty: the image's
  std::optional<std::int64_t> run_as_user, run_as_group;
  std::vector<std::int64_t> supplemental_groups;
  bool run_as_non_root = false;  // refuse uid 0, and image users that are not numeric
  bool privileged = false, read_only_root = false, no_new_privileges = false;
  std::vector<std::string> capabilities_add, capabilities_drop;  // "NET_ADMIN", "ALL"
  bool unmasked_proc = false;
  // "" or "Unconfined": none; "RuntimeDefault": ours; else the JSON text of a profile.
  std::string seccomp;
  std::vector<Mount> mounts;
  std::vector<std::string> devices;  // host paths, privileged gets all
  bool tty = false, stdin_open = false, stdin_once = false;
  Resources resources;
  std::string log_path;  // CRI format, rotated by the shim
  std::int64_t log_bytes_max = 10 << 20;
  int log_files_max = 5;
};

enum class ContainerState : unsigned char { created, running, exited };
struct ContainerStatus {
  std::string id, pod_uid, name, image_id;
  int attempt = 0;
  ContainerState state = ContainerState::created;
  int pid = 0;
  base::WallTime created_at, started_at, finished_at;
  int exit_code = 0;  // 128 + signal when killed by one
  int exit_signal = 0;
  bool oom_killed = false;
  std::string reason;  // "Completed", "Error", "OOMKilled", "ContainerCannotRun", …
  std::string message;
  std::string stop_signal;  // the image's STOPSIGNAL, "SIGTERM" by default
};

// Descriptors of a running exec or attach, owned by the caller. With a terminal, `stdout_fd` is
// both directions and `stdin_fd` and `stderr_fd` are not valid.
struct Streams {
  base::UniqueFd stdin_fd, stdout_fd, stderr_fd;
};

struct ExecOptions {
  std::string container_id;
  std::vector<std::string> command;
  bool tty = false, stdin_open = false;
};

class ExecSession {
 public:
  virtual ~ExecSession() = default;  // kills the process when it still runs
  virtual Streams& streams() = 0;
  virtual base::Status resize(std::uint16_t columns, std::uint16_t rows) = 0;
  // Becomes readable when the process has ended; then exit_code() tells.
  virtual int exit_fd() const = 0;
  virtual base::Result<int> exit_code() = 0;
};

struct AttachSession {
  Streams streams;
  std::function<base::Status(std::uint16_t columns, std::uint16_t rows)> resize;
};

struct ContainerUsage {
  std::uint64_t cpu_ns = 0;
  std::int64_t memory_bytes = 0, memory_working_set_bytes = 0;
  std::int64_t pids = 0;
};

class Runtime {
 public:
  virtual ~Runtime() = default;

  // Everything that exists on this host, after reconnecting to the shims. Call once, first.
  struct Adopted {
    std::vector<PodSandbox> pods;
    std::vector<ContainerStatus> containers;
  };
  virtual base::Result<Adopted> adopt() = 0;

  virtual base::Result<PodSandbox> create_pod(const PodOptions& options) = 0;
  // Kills what still runs in it, ends the shim, unmounts. Idempotent.
  virtual base::Status remove_pod(const std::string& uid) = 0;
  virtual base::Result<PodSandbox> pod(const std::string& uid) = 0;

  // Root file system and OCI bundle; the process waits at its start. Errors: invalid_argument with
  // what the OCI runtime said ("exec: \"nope\": executable file not found in $PATH").
  virtual base::Result<ContainerStatus> create_container(const ContainerOptions& options) = 0;
  virtual base::Status start_container(const std::string& id) = 0;
  virtual base::Status signal_container(const std::string& id, int signal_number) = 0;
  // Only created or exited ones; keeps the log files.
  virtual base::Status remove_container(const std::string& id) = 0;
  virtual base::Result<ContainerStatus> container(const std::string& id) = 0;
  virtual base::Status update_resources(const std::string& id, const Resources& resources) = 0;
  virtual base::Result<ContainerUsage> usage(const std::string& id) = 0;
  // The host's folder with what the container wrote to its root, whether it is there or not.
  virtual std::string writable_folder(const std::string& id) const = 0;

  virtual base::Result<std::unique_ptr<ExecSession>> exec(const ExecOptions& options) = 0;
  virtual base::Result<AttachSession> attach(const std::string& id) = 0;

  // Called on an unspecified thread when a container has exited or a shim has ended; its record is
  // on disk by then. Set before adopt().
  using ExitCallback =
      std::function<void(const std::string& pod_uid, const std::string& container_id)>;
  virtual void set_exit_callback(ExitCallback callback) = 0;
};

struct RuntimeOptions {
  std::string data_dir;       // images, snapshots, container records
  std::string runtime_dir;    // shims, sockets, bundles; a tmpfs as a rule
  std::string cgroup_parent;  // "skiff"
  std::string oci_runtime = "runc";
};
class ImageService;
base::Result<std::unique_ptr<Runtime>> make_runtime(const RuntimeOptions& options,
                                                    ImageService& images);

}  // namespace skiff::runtime
