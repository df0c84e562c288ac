// Processes: starting them, waiting for them, and knowing one again after a restart.
#pragma once

#include <skiff/base/result.h>
#include <skiff/base/unique_fd.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace skiff::sys {

// A process is known by its id and its start time (clock ticks since boot): ids are used again.
struct ProcessId {
  int pid = 0;
  std::uint64_t start_ticks = 0;
};

// Errors: not_found when there is no such process.
base::Result<std::uint64_t> process_start_ticks(int pid);
base::Result<ProcessId> identify_process(int pid);
// False for zombies too.
bool is_process_alive(const ProcessId& process);
// Sends the signal only when the process is still that one. Errors: not_found.
base::Status signal_process(const ProcessId& process, int signal_number);

struct SpawnOptions {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH when it has no '/'
  std::vector<std::string> env;   // "NAME=value"; empty: this process's environment
  // Descriptor here, number there. 0, 1 and 2 are /dev/null unless they are listed.
  std::vector<std::pair<int, int>> descriptors;
  bool new_session = false;
};
// The child's signal mask is empty and its signal handlers are the default ones.
base::Result<int> spawn_process(const SpawnOptions& options);
// Blocks. Exit code, or 128 + signal.
base::Result<int> wait_process(int pid);

struct RunOptions {
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::string input;
  int timeout_ms = 60'000;                  // then it is killed: deadline_exceeded
  std::size_t output_bytes_max = 1u << 20;  // the rest is read and dropped
};
struct RunResult {
  int exit_code = 0;  // 128 + signal when killed by one
  std::string output, error_output;
};
// Runs a program to its end. Blocks. Errors: not_found (no such program), deadline_exceeded.
base::Result<RunResult> run_process(RunOptions options);

// The lowest value not below `wanted` that this process may give to itself or its children;
// lowering needs CAP_SYS_RESOURCE.
int clamp_oom_score_adj(int wanted);
// The hard limit that may be set for RLIMIT_*: `wanted`, or the current one without the capability.
std::uint64_t clamp_resource_limit(int resource, std::uint64_t wanted);
bool has_capability(int capability_number);

}  // namespace skiff::sys
