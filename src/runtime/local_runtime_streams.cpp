#include <skiff/base/strings.h>
#include <skiff/sys/files.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/limits.h"
#include "runtime/local_runtime.h"

namespace skiff::runtime {
namespace {

using base::concat;

struct Pipe {
  base::UniqueFd reader, writer;
};
base::Result<Pipe> make_pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return base::errno_status(errno, "pipe");
  return Pipe{base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

base::Status set_window(int fd, std::uint16_t columns, std::uint16_t rows) {
  winsize size{};
  size.ws_col = columns;
  size.ws_row = rows;
  if (ioctl(fd, TIOCSWINSZ, &size) != 0) return base::errno_status(errno, "resize terminal");
  return {};
}

// Thread-compatible.
class ShimExecSession final : public ExecSession {
 public:
  ShimExecSession(Streams streams, base::UniqueFd terminal, base::UniqueFd exit_fd,
                  sys::ProcessId process)
      : streams_(std::move(streams)),
        terminal_(std::move(terminal)),
        exit_fd_(std::move(exit_fd)),
        process_(process) {}
  ~ShimExecSession() override {
    if (!exit_code().is_ok()) (void)sys::signal_process(process_, SIGKILL);
  }

  Streams& streams() override { return streams_; }

  base::Status resize(std::uint16_t columns, std::uint16_t rows) override {
    if (!terminal_) return base::invalid_argument("no terminal");
    return set_window(terminal_.get(), columns, rows);
  }

  int exit_fd() const override { return exit_fd_.get(); }

  base::Result<int> exit_code() override {
    if (exit_code_) return *exit_code_;
    pollfd ready{exit_fd_.get(), POLLIN, 0};
    if (poll(&ready, 1, 0) <= 0) return base::unavailable("the process still runs");
    int code = 0;
    if (read(exit_fd_.get(), &code, sizeof code) != sizeof code)
      return base::Status(base::Code::data_loss, "the supervisor ended before the process");
    exit_code_ = code;
    return code;
  }

 private:
  Streams streams_;
  base::UniqueFd terminal_, exit_fd_;
  sys::ProcessId process_;
  std::optional<int> exit_code_;
};

// The files of one exec; they go when it has begun.
struct ExecFiles {
  std::string process, pid, log, console;
  ~ExecFiles() {
    for (const auto& path : {process, pid, log, console})
      if (!path.empty()) (void)sys::remove_tree(path);
  }
};

}  // namespace

base::Result<std::unique_ptr<ExecSession>> LocalRuntime::exec(const ExecOptions& options) {
  if (options.command.empty()) return base::invalid_argument("no command specified");
  SKIFF_ASSIGN_OR_RETURN(auto container, find_container(options.container_id));
  if (!container.started_at || container.exit)
    return base::conflict(concat("container ", options.container_id, " is not running"));
  std::string bundle = bundle_folder(options.container_id);
  std::string name = concat(bundle, "/exec-", counter_.fetch_add(1));
  ExecFiles files{name + ".json", name + ".pid", name + ".log", options.tty ? console_path() : ""};
  SKIFF_ASSIGN_OR_RETURN(auto spec_text, sys::read_file(bundle + "/config.json", kSpecBytesMax));
  SKIFF_ASSIGN_OR_RETURN(auto spec, codec::parse_json(spec_text));
  SKIFF_RETURN_IF_ERROR(sys::write_file_atomic(
      files.process, codec::write_json(plan_exec_process(spec, options)), 0600, sys::Sync::no));

  SKIFF_ASSIGN_OR_RETURN(auto exit_pipe, make_pipe());
  std::vector<int> descriptors = {exit_pipe.writer.get()};
  Pipe input, output, error_output;
  base::UniqueFd console;
  if (options.tty) {
    SKIFF_ASSIGN_OR_RETURN(console, listen_console(files.console));
  } else {
    SKIFF_ASSIGN_OR_RETURN(input, make_pipe());
    SKIFF_ASSIGN_OR_RETURN(output, make_pipe());
    SKIFF_ASSIGN_OR_RETURN(error_output, make_pipe());
    if (!options.stdin_open) input.writer.reset();
    descriptors.insert(descriptors.end(),
                       {input.reader.get(), output.writer.get(), error_output.writer.get()});
  }
  ShimRequest request(SHIM_EXEC);
  request
      .arguments(oci_.exec_command(options.container_id, files.process, files.pid, files.log,
                                   files.console))
      .text(SHIM_TAG_PID_FILE, files.pid);
  int status = 0;
  auto reply =
      ask_shim(pod_folder(container.record.pod_uid), request, descriptors, kOciRuntimeMs, &status);
  if (!reply.is_ok() && status != 0)
    return base::invalid_argument(
        oci_error_text(sys::read_file(files.log, kRecordBytesMax).value_or(""),
                       concat(options_.oci_runtime, " ended with ", status)));
  if (!reply.is_ok()) return reply.status();

  sys::ProcessId process{reply->pid, 0};
  if (auto known = sys::identify_process(reply->pid); known.is_ok()) process = *known;
  Streams streams;
  base::UniqueFd terminal;
  if (options.tty) {
    SKIFF_ASSIGN_OR_RETURN(streams.stdout_fd, receive_console(console.get(), kShimRequestMs));
    terminal = base::UniqueFd(fcntl(streams.stdout_fd.get(), F_DUPFD_CLOEXEC, 3));
  } else {
    streams.stdin_fd = std::move(input.writer);
    streams.stdout_fd = std::move(output.reader);
    streams.stderr_fd = std::move(error_output.reader);
  }
  return std::unique_ptr<ExecSession>(std::make_unique<ShimExecSession>(
      std::move(streams), std::move(terminal), std::move(exit_pipe.reader), process));
}

base::Result<AttachSession> LocalRuntime::attach(const std::string& id) {
  SKIFF_ASSIGN_OR_RETURN(auto container, find_container(id));
  if (container.exit) return base::conflict(concat("container ", id, " is not running"));
  std::string folder = pod_folder(container.record.pod_uid);
  ShimRequest request(SHIM_ATTACH);
  request.text(SHIM_TAG_ID, id);
  SKIFF_ASSIGN_OR_RETURN(auto reply, ask_shim(folder, request, {}, kShimRequestMs));
  std::size_t wanted = reply.flags & SHIM_FLAG_TERMINAL ? 1 : reply.flags & SHIM_FLAG_STDIN ? 3 : 2;
  if (reply.descriptors.size() != wanted)
    return base::unavailable("the pod's supervisor has no descriptors left");
  AttachSession session;
  session.streams.stdout_fd = std::move(reply.descriptors[0]);
  if (wanted >= 2) session.streams.stderr_fd = std::move(reply.descriptors[1]);
  if (wanted == 3) session.streams.stdin_fd = std::move(reply.descriptors[2]);
  session.resize = [folder, id](std::uint16_t columns, std::uint16_t rows) -> base::Status {
    ShimRequest resize(SHIM_RESIZE);
    resize.text(SHIM_TAG_ID, id).number(SHIM_TAG_COLUMNS, columns).number(SHIM_TAG_ROWS, rows);
    return ask_shim(folder, resize, {}, kShimRequestMs).status();
  };
  return session;
}

}  // namespace skiff::runtime
