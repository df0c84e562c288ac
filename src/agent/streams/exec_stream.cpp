// exec, attach and port-forward: descriptors of the runtime to frames and back.
#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>
#include <skiff/loop/work_pool.h>
#include <skiff/sys/namespaces.h>

#include "agent/limits.h"
#include "agent/streams/local_channel.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace skiff::agent {

using codec::Json;

namespace {

void set_non_blocking(int fd) {
  if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

using Resize = std::function<base::Status(std::uint16_t, std::uint16_t)>;

// Channel 0 to the process, channel 4 to the terminal.
base::Task<void> pump_in(loop::Loop& loop, base::UniqueFd stdin_fd, int terminal_fd, Resize resize,
                         base::Executor* work, SessionPtr session, base::CancelToken cancel) {
  for (;;) {
    auto frame = co_await session->to_agent.read(cancel);
    if (!frame || !frame->has_value()) co_return;
    auto& value = **frame;
    if (value.channel == 4) {
      const auto size = codec::parse_json(value.data);
      if (!size) continue;
      auto columns = static_cast<std::uint16_t>((*size)["Width"].as_int());
      auto rows = static_cast<std::uint16_t>((*size)["Height"].as_int());
      auto act = [resize, columns, rows] { return resize(columns, rows); };
      co_await loop::run_blocking(*work, std::move(act));
      continue;
    }
    if (value.channel != 0) continue;
    int fd = terminal_fd >= 0 ? terminal_fd : stdin_fd.get();
    bool end = value.end;
    if (fd >= 0 && !value.data.empty()) {
      bool written = co_await write_fd(loop, fd, std::move(value.data), cancel);
      if (!written) stdin_fd.reset();
    }
    // A terminal is told by its user (Ctrl-D), a pipe by its end.
    if (end) stdin_fd.reset();
  }
}

// Until the other side closes; then the whole connection is over.
base::Task<void> pump_connection(loop::Loop& loop, int fd, SessionPtr session,
                                 base::CancelSource over) {
  co_await pump_out(loop, fd, 0, session, over.token());
  co_await session->send(0, "", true);
  over.cancel();
}

base::Result<base::UniqueFd> connect_in_namespace(const std::string& path, std::uint16_t port) {
  base::UniqueFd fd;
  auto make = [&fd, port]() -> base::Status {
    fd = base::UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return base::errno_status(errno, "socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 &&
        errno != EINPROGRESS)
      return base::Status(base::Code::unavailable, strerror(errno));
    return {};
  };
  if (path.empty()) {
    SKIFF_RETURN_IF_ERROR(make());
  } else {
    SKIFF_RETURN_IF_ERROR(sys::run_in_network_namespace(path, make));
  }
  return fd;
}

}  // namespace

base::Task<void> pump_out(loop::Loop& loop, int fd, std::uint32_t channel, SessionPtr session,
                          base::CancelToken cancel) {
  for (;;) {
    auto ready = co_await loop::wait_fd(loop, fd, loop::Ready::readable, cancel);
    if (!ready || !*ready) co_return;
    std::string bytes(kStreamReadBytes, '\0');
    ssize_t got = read(fd, bytes.data(), bytes.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) co_return;  // a terminal whose other side has gone says EIO
    bytes.resize(static_cast<std::size_t>(got));
    auto sent = co_await session->send(channel, std::move(bytes));
    if (!sent.is_ok()) co_return;
  }
}

base::Task<bool> write_fd(loop::Loop& loop, int fd, std::string data, base::CancelToken cancel) {
  std::string_view rest = data;
  while (!rest.empty()) {
    ssize_t put = send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == ENOTSOCK) put = write(fd, rest.data(), rest.size());
    if (put > 0) {
      rest.remove_prefix(static_cast<std::size_t>(put));
      continue;
    }
    if (put < 0 && errno == EINTR) continue;
    if (put == 0 || errno != EAGAIN) co_return false;
    auto ready = co_await loop::wait_fd(loop, fd, loop::Ready::writable, cancel);
    if (!ready || !*ready) co_return false;
  }
  co_return true;
}

base::Task<void> LocalChannel::serve_exec(PodWorker* worker, std::shared_ptr<Opening> opening) {
  auto session = opening->session;
  const Json options = opening->request.options;
  std::string container_id;
  for (const auto& container : worker->record().containers)
    if (container.name == opening->request.container && container.is_running())
      container_id = container.current->status.id;
  if (container_id.empty()) {
    opening->opened.set(base::not_found(
        base::concat("container not found (", base::quote(opening->request.container), ")")));
    co_return;
  }
  runtime::ExecOptions exec_options;
  exec_options.container_id = container_id;
  exec_options.tty = options["tty"].as_bool();
  exec_options.stdin_open = options["stdin"].as_bool();
  for (const auto& word : options["command"].items())
    exec_options.command.emplace_back(word.as_string());
  auto* runtime = context_.options.runtime;
  auto begin = [runtime, exec_options] { return runtime->exec(exec_options); };
  // As the kubelet: the streams are there first, and the error channel tells. kubectl drops output
  // that comes before it has made its own streams, so it gets the time that the start takes.
  opening->opened.set(base::Status());
  auto started = co_await loop::run_blocking(*context_.options.work, std::move(begin));
  if (!started) {
    std::string message(started.status().message());
    co_await session->send(3, failure_status(message), true);
    co_return;
  }
  std::shared_ptr<runtime::ExecSession> exec = std::move(*started);
  auto& loop = *context_.options.loop;
  auto& streams = exec->streams();
  for (int fd : {streams.stdin_fd.get(), streams.stdout_fd.get(), streams.stderr_fd.get()})
    set_non_blocking(fd);
  base::CancelSource over = base::CancelSource::child_of(session->cancel.token());
  base::TaskScope input(*context_.options.executor), output(*context_.options.executor);
  Resize resize = [exec](std::uint16_t columns, std::uint16_t rows) {
    return exec->resize(columns, rows);
  };
  int terminal = exec_options.tty ? streams.stdout_fd.get() : -1;
  input.spawn(pump_in(loop, std::move(streams.stdin_fd), terminal, resize, context_.options.work,
                      session, over.token()));
  base::CancelSource output_over = base::CancelSource::child_of(session->cancel.token());
  if (streams.stdout_fd.is_valid())
    output.spawn(pump_out(loop, streams.stdout_fd.get(), 1, session, output_over.token()));
  if (streams.stderr_fd.is_valid())
    output.spawn(pump_out(loop, streams.stderr_fd.get(), 2, session, output_over.token()));
  auto ended = co_await loop::wait_fd(loop, exec->exit_fd(), loop::Ready::readable, over.token());
  over.cancel();
  co_await input.join();
  bool has_ended = ended.is_ok() && *ended;
  // What the process wrote is read to its end, unless a child of it keeps the pipe open.
  auto timer = context_.timers().start_timer(has_ended ? kExecDrain : base::Duration(0),
                                             [output_over] { output_over.cancel(); });
  co_await output.join();
  context_.timers().cancel_timer(timer);
  auto finish = [exec = std::move(exec), has_ended]() mutable -> base::Result<int> {
    base::Result<int> code = base::cancelled("the client has gone");
    if (has_ended) code = exec->exit_code();
    exec.reset();
    return code;
  };
  resize = nullptr;
  auto code = co_await loop::run_blocking(*context_.options.work, std::move(finish));
  if (!has_ended) co_return;
  std::string status = code ? exit_status(*code) : failure_status(code.status().message());
  co_await session->send(3, std::move(status), true);
}

base::Task<void> LocalChannel::serve_attach(PodWorker* worker, std::shared_ptr<Opening> opening) {
  auto session = opening->session;
  std::string container_id;
  for (const auto& container : worker->record().containers)
    if (container.name == opening->request.container && container.is_running())
      container_id = container.current->status.id;
  if (container_id.empty()) {
    opening->opened.set(base::not_found(base::concat("container ", opening->request.container,
                                                     " not found in pod ", opening->request.pod)));
    co_return;
  }
  const Json spec = find_container(worker->record().pod, opening->request.container);
  bool tty = spec["tty"].as_bool();
  auto* runtime = context_.options.runtime;
  auto begin = [runtime, container_id] { return runtime->attach(container_id); };
  auto attached = co_await loop::run_blocking(*context_.options.work, std::move(begin));
  if (!attached) {
    opening->opened.set(attached.status());
    co_return;
  }
  opening->opened.set(base::Status());
  auto& loop = *context_.options.loop;
  auto& streams = attached->streams;
  for (int fd : {streams.stdin_fd.get(), streams.stdout_fd.get(), streams.stderr_fd.get()})
    set_non_blocking(fd);
  base::CancelSource over = base::CancelSource::child_of(session->cancel.token());
  base::TaskScope input(*context_.options.executor), output(*context_.options.executor);
  int terminal = tty ? streams.stdout_fd.get() : -1;
  input.spawn(pump_in(loop, std::move(streams.stdin_fd), terminal, attached->resize,
                      context_.options.work, session, over.token()));
  if (streams.stdout_fd.is_valid())
    output.spawn(pump_out(loop, streams.stdout_fd.get(), 1, session, over.token()));
  if (streams.stderr_fd.is_valid())
    output.spawn(pump_out(loop, streams.stderr_fd.get(), 2, session, over.token()));
  co_await output.join();
  over.cancel();
  co_await input.join();
  co_await session->send(3, success_status(), true);
}

base::Task<void> LocalChannel::serve_port_forward(PodWorker* worker,
                                                  std::shared_ptr<Opening> opening) {
  auto session = opening->session;
  const auto& ports = opening->request.options["ports"];
  std::int64_t port = ports.items().empty() ? 0 : ports.item(0).as_int();
  if (port <= 0 || port > 65535) {
    opening->opened.set(base::invalid_argument("a port between 1 and 65535 is required"));
    co_return;
  }
  if (!worker->record().sandbox_ready) {
    opening->opened.set(base::not_found(
        base::concat("the sandbox of pod ", opening->request.pod, " is not running")));
    co_return;
  }
  auto* runtime = context_.options.runtime;
  std::string uid = worker->uid();
  auto begin = [runtime, uid, port]() -> base::Result<base::UniqueFd> {
    SKIFF_ASSIGN_OR_RETURN(auto sandbox, runtime->pod(uid));
    return connect_in_namespace(sandbox.network_namespace_path, static_cast<std::uint16_t>(port));
  };
  auto connected = co_await loop::run_blocking(*context_.options.work, std::move(begin));
  opening->opened.set(base::Status());
  auto& loop = *context_.options.loop;
  base::CancelToken cancel = session->cancel.token();
  std::string failure;
  if (!connected) {
    failure = connected.status().message();
  } else {
    auto ready = co_await loop::wait_fd(loop, connected->get(), loop::Ready::writable, cancel);
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(connected->get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (!ready || !*ready) co_return;
    if (error != 0)
      failure = base::concat("dial tcp4 127.0.0.1:", port,
                             ": connect: ", base::to_lower(strerror(error)));
  }
  if (!failure.empty()) {
    std::string message = base::concat("failed to connect to localhost:", port,
                                       " inside namespace ", base::quote(uid), ": ", failure);
    co_await session->send(1, std::move(message), true);
    co_return;
  }
  base::TaskScope output(*context_.options.executor);
  base::CancelSource over = base::CancelSource::child_of(cancel);
  int fd = connected->get();
  output.spawn(pump_connection(loop, fd, session, over));
  // A client that sends no more still gets the answer.
  for (;;) {
    auto frame = co_await session->to_agent.read(over.token());
    if (!frame || !frame->has_value()) break;
    auto& value = **frame;
    if (value.channel != 0) continue;
    bool end = value.end;
    if (!value.data.empty()) {
      bool written = co_await write_fd(loop, fd, std::move(value.data), cancel);
      if (!written) break;
    }
    if (end) shutdown(fd, SHUT_WR);
  }
  over.cancel();
  co_await output.join();
}

}  // namespace skiff::agent
