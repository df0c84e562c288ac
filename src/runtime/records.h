// What is on disk of pods and containers, so that a restarted skiff knows them:
//   <data>/runtime/pods/<uid>.json
//   <data>/runtime/containers/<id>/record.json   synced before the container exists
//   <data>/runtime/containers/<id>/started       nanoseconds since 1970
//   <data>/runtime/containers/<id>/exit          written and synced by the shim
// A torn file reads as data_loss, and what it was about is cleaned up.
#pragma once

#include <skiff/base/result.h>
#include <skiff/runtime/runtime.h>
#include <skiff/sys/process.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::runtime {

struct PodRecord {
  PodOptions options;
  sys::ProcessId shim;
  int init_pid = 0;
  base::WallTime created_at;
};
std::string write_pod_record(const PodRecord& record);
base::Result<PodRecord> parse_pod_record(std::string_view text);

struct ContainerRecord {
  std::string id, pod_uid, name, image_id, stop_signal, cgroup_path, log_path;
  int attempt = 0;
  bool tty = false, stdin_open = false, own_process_namespace = true;
  base::WallTime created_at;
};
std::string write_container_record(const ContainerRecord& record);
base::Result<ContainerRecord> parse_container_record(std::string_view text);

// "1 <exit code> <signal> <killed for memory> <nanoseconds> [lost]".
struct ExitRecord {
  int exit_code = 0, signal = 0;
  bool oom_killed = false;
  base::WallTime finished_at;
  bool is_lost = false;  // nobody saw the end: the supervisor ended before
};
std::string write_exit_record(const ExitRecord& record);
base::Result<ExitRecord> parse_exit_record(std::string_view text);

}  // namespace skiff::runtime
