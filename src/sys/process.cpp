#include <skiff/sys/process.h>

#include <skiff/base/strings.h>
#include <skiff/loop/loop.h>
#include <skiff/sys/files.h>

#include <linux/capability.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>
#include <poll.h>
#include <algorithm>
#include <cerrno>

#include "sys/limits.h"

extern char** environ;

namespace skiff::sys {
namespace {

using base::concat;

struct ProcStat {
  char state = '?';
  std::uint64_t start_ticks = 0;
};

base::Result<ProcStat> read_stat(int pid) {
  auto text = read_file(concat("/proc/", pid, "/stat"), kProcFileBytesMax);
  if (!text.is_ok()) return base::not_found(concat("process ", pid, " does not exist"));
  // The name, in parentheses, may hold anything; fields are counted after its end.
  std::size_t end = text->rfind(')');
  if (end == std::string::npos) return base::internal_error("unexpected /proc/<pid>/stat");
  auto fields = base::split(base::trim(std::string_view(*text).substr(end + 1)), ' ');
  if (fields.size() < 20) return base::internal_error("unexpected /proc/<pid>/stat");
  auto ticks = base::parse_int(fields[19]);
  if (!ticks) return base::internal_error("unexpected /proc/<pid>/stat");
  return ProcStat{fields[0].empty() ? '?' : fields[0][0], static_cast<std::uint64_t>(*ticks)};
}

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

// Targets may equal sources of later entries, so sources move out of the way first.
base::Result<std::vector<base::UniqueFd>> plan_descriptors(const SpawnOptions& options,
                                                           FileActions& actions) {
  std::vector<base::UniqueFd> copies;
  bool listed[3] = {false, false, false};
  int floor = 3;
  for (const auto& [from, to] : options.descriptors) floor = std::max(floor, to + 1);
  for (const auto& [from, to] : options.descriptors) {
    if (to >= 0 && to < 3) listed[to] = true;
    base::UniqueFd copy(fcntl(from, F_DUPFD_CLOEXEC, floor));
    if (!copy) return base::errno_status(errno, "dup");
    posix_spawn_file_actions_adddup2(actions.get(), copy.get(), to);
    copies.push_back(std::move(copy));
  }
  for (int fd = 0; fd < 3; ++fd)
    if (!listed[fd])
      posix_spawn_file_actions_addopen(actions.get(), fd, "/dev/null",
                                       fd == 0 ? O_RDONLY : O_WRONLY, 0);
  return copies;
}

base::Result<std::pair<base::UniqueFd, base::UniqueFd>> make_pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return base::errno_status(errno, "pipe");
  return std::pair(base::UniqueFd(fds[0]), base::UniqueFd(fds[1]));
}

// Reads once; false at the end of the stream.
bool read_some(int fd, std::string& out, std::size_t bytes_max) {
  char buffer[kPipeReadBytes];
  ssize_t n = read(fd, buffer, sizeof buffer);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (n == 0) return false;
  std::size_t room = bytes_max > out.size() ? bytes_max - out.size() : 0;
  out.append(buffer, std::min(room, static_cast<std::size_t>(n)));
  return true;
}

struct Exchange {
  base::UniqueFd input, output, error_output;
};

base::Status exchange(Exchange& pipes, const RunOptions& options, RunResult& result) {
  const base::Clock& clock = loop::real_clock();
  auto deadline = clock.monotonic() + std::chrono::milliseconds(options.timeout_ms);
  std::size_t sent = 0;
  if (options.input.empty()) pipes.input.reset();
  while (pipes.output || pipes.error_output || pipes.input) {
    pollfd polls[3] = {{pipes.output.get(), POLLIN, 0},
                       {pipes.error_output.get(), POLLIN, 0},
                       {pipes.input.get(), POLLOUT, 0}};
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.monotonic()).count();
    if (left <= 0)
      return base::Status(base::Code::deadline_exceeded,
                          concat(options.argv[0], ": no end within ", options.timeout_ms, " ms"));
    if (poll(polls, 3, static_cast<int>(left)) < 0 && errno != EINTR)
      return base::errno_status(errno, "poll");
    if (polls[0].revents && !read_some(pipes.output.get(), result.output, options.output_bytes_max))
      pipes.output.reset();
    if (polls[1].revents &&
        !read_some(pipes.error_output.get(), result.error_output, options.output_bytes_max))
      pipes.error_output.reset();
    if (polls[2].revents) {
      ssize_t n =
          write(pipes.input.get(), options.input.data() + sent, options.input.size() - sent);
      if (n > 0) sent += static_cast<std::size_t>(n);
      if ((n < 0 && errno != EINTR && errno != EAGAIN) || sent == options.input.size())
        pipes.input.reset();
    }
  }
  return {};
}

}  // namespace

base::Result<std::uint64_t> process_start_ticks(int pid) {
  SKIFF_ASSIGN_OR_RETURN(auto stat, read_stat(pid));
  return stat.start_ticks;
}

base::Result<ProcessId> identify_process(int pid) {
  SKIFF_ASSIGN_OR_RETURN(auto ticks, process_start_ticks(pid));
  return ProcessId{pid, ticks};
}

bool is_process_alive(const ProcessId& process) {
  if (process.pid <= 0) return false;
  auto stat = read_stat(process.pid);
  return stat.is_ok() && stat->start_ticks == process.start_ticks && stat->state != 'Z' &&
         stat->state != 'X';
}

base::Status signal_process(const ProcessId& process, int signal_number) {
  if (!is_process_alive(process))
    return base::not_found(concat("process ", process.pid, " has ended"));
  if (kill(process.pid, signal_number) != 0) {
    if (errno == ESRCH) return base::not_found(concat("process ", process.pid, " has ended"));
    return base::errno_status(errno, concat("kill ", process.pid));
  }
  return {};
}

base::Result<int> spawn_process(const SpawnOptions& options) {
  if (options.argv.empty()) return base::invalid_argument("no program named");
  FileActions actions;
  SKIFF_ASSIGN_OR_RETURN(auto copies, plan_descriptors(options, actions));
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (options.new_session) flags |= POSIX_SPAWN_SETSID;
  posix_spawnattr_setflags(&attributes, flags);
  auto argv = pointers(options.argv), env = pointers(options.env);
  pid_t pid = 0;
  int error = posix_spawnp(&pid, argv[0], actions.get(), &attributes, argv.data(),
                           options.env.empty() ? environ : env.data());
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return base::errno_status(error, options.argv[0]);
  return static_cast<int>(pid);
}

base::Result<int> wait_process(int pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return base::errno_status(errno, concat("wait for process ", pid));
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

base::Result<RunResult> run_process(RunOptions options) {
  Exchange here;
  int pid = 0;
  {
    SKIFF_ASSIGN_OR_RETURN(auto input, make_pipe());
    SKIFF_ASSIGN_OR_RETURN(auto output, make_pipe());
    SKIFF_ASSIGN_OR_RETURN(auto error_output, make_pipe());
    SpawnOptions spawn;
    spawn.argv = options.argv;
    spawn.env = options.env;
    spawn.descriptors = {
        {input.first.get(), 0}, {output.second.get(), 1}, {error_output.second.get(), 2}};
    SKIFF_ASSIGN_OR_RETURN(pid, spawn_process(spawn));
    here.input = std::move(input.second);
    here.output = std::move(output.first);
    here.error_output = std::move(error_output.first);
  }
  fcntl(here.input.get(), F_SETFL, O_NONBLOCK);
  RunResult result;
  auto status = exchange(here, options, result);
  if (!status.is_ok()) kill(pid, SIGKILL);
  SKIFF_ASSIGN_OR_RETURN(result.exit_code, wait_process(pid));
  if (!status.is_ok()) return status;
  return result;
}

bool has_capability(int capability_number) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  return (data[capability_number / 32].effective >> (capability_number % 32)) & 1u;
}

int clamp_oom_score_adj(int wanted) {
  wanted = std::clamp(wanted, -1000, 1000);
  if (has_capability(CAP_SYS_RESOURCE)) return wanted;
  auto text = read_file("/proc/self/oom_score_adj", kProcFileBytesMax);
  auto current = text.is_ok() ? base::parse_int(base::trim(*text)) : std::nullopt;
  return std::max(wanted, static_cast<int>(current.value_or(0)));
}

std::uint64_t clamp_resource_limit(int resource, std::uint64_t wanted) {
  if (has_capability(CAP_SYS_RESOURCE)) return wanted;
  rlimit current{};
  if (getrlimit(static_cast<__rlimit_resource>(resource), &current) != 0) return wanted;
  return std::min<std::uint64_t>(wanted, current.rlim_max);
}

}  // namespace skiff::sys
