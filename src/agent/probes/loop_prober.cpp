#include "agent/probes/loop_prober.h"

#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>
#include <skiff/http/http2.h>
#include <skiff/http/tls.h>
#include <skiff/loop/connect.h>
#include <skiff/loop/work_pool.h>

#include "agent/limits.h"
#include "agent/probes/plan_grpc.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace skiff::agent {

namespace {

ProbeResult failure(std::string output) { return ProbeResult{false, std::move(output), false}; }
// The container was not asked.
ProbeResult not_asked(std::string output) { return ProbeResult{false, std::move(output), true}; }

// Cancels itself when the time is over; tells which of the two it was.
class Deadline {
 public:
  Deadline(base::Timers& timers, base::Duration timeout, const base::CancelToken& cancel)
      : timers_(timers), source_(base::CancelSource::child_of(cancel)) {
    auto over = over_;
    auto source = source_;
    timer_ = timers.start_timer(timeout, [over, source] {
      *over = true;
      source.cancel();
    });
  }
  ~Deadline() { timers_.cancel_timer(timer_); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  base::CancelToken token() const { return source_.token(); }
  bool is_over() const { return *over_; }

 private:
  base::Timers& timers_;
  base::CancelSource source_;
  std::shared_ptr<bool> over_ = std::make_shared<bool>(false);
  base::TimerId timer_ = 0;
};

struct Target {
  base::UniqueFd fd;
  sockaddr_storage address{};
  socklen_t address_bytes = 0;
};

// `flags` of getaddrinfo(). Errors: not_found for what is no address, or a name without one.
base::Result<Target> make_target(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICSERV | flags;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0)
    return base::not_found(
        base::concat("dial tcp: lookup ", host, ": ", base::to_lower(gai_strerror(error))));
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
  Target target;
  target.address_bytes = found->ai_addrlen;
  memcpy(&target.address, found->ai_addr, found->ai_addrlen);
  target.fd =
      base::UniqueFd(socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!target.fd) return base::errno_status(errno, "socket");
  return target;
}

class LoopProber final : public Prober {
 public:
  explicit LoopProber(const AgentOptions& options) : options_(options) {}

  base::Task<ProbeResult> http_get(HttpGet get, base::Duration timeout,
                                   base::CancelToken cancel) override;
  base::Task<ProbeResult> connect_tcp(std::string host, std::uint16_t port, base::Duration timeout,
                                      base::CancelToken cancel) override;
  base::Task<ProbeResult> check_grpc(GrpcCheck check, base::Duration timeout,
                                     base::CancelToken cancel) override;
  base::Task<ProbeResult> exec(std::string container_id, std::vector<std::string> command,
                               base::Duration timeout, base::CancelToken cancel) override;

 private:
  struct HttpAnswer {
    std::string failure;  // empty: there is an answer
    int status = 0;
    std::string location;
  };
  base::Task<HttpAnswer> get_once(const HttpGet& get, base::Duration timeout,
                                  const Deadline& deadline);
  base::Result<std::shared_ptr<http::TlsContext>> tls();

  const AgentOptions& options_;
  std::shared_ptr<http::TlsContext> tls_;
};

base::Result<std::shared_ptr<http::TlsContext>> LoopProber::tls() {
  if (tls_ == nullptr) {
    http::TlsClientOptions tls_options;
    tls_options.insecure = true;
    SKIFF_ASSIGN_OR_RETURN(tls_, http::make_tls_client_context(tls_options));
  }
  return tls_;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

base::Task<ProbeResult> LoopProber::http_get(HttpGet get, base::Duration timeout,
                                             base::CancelToken cancel) {
  if (options_.http == nullptr) co_return failure("HTTP probes need an event loop");
  Deadline deadline(*options_.timers, timeout, cancel);
  for (int redirects = 0; redirects <= kProbeRedirectsMax; ++redirects) {
    auto asking = get_once(get, timeout, deadline);
    auto answer = co_await std::move(asking);
    if (!answer.failure.empty()) co_return failure(std::move(answer.failure));
    std::optional<HttpGet> next;
    if (is_redirect(answer.status)) next = plan_redirect(get, answer.location);
    if (next) {
      get = std::move(*next);
      continue;
    }
    if (get.is_hook || (answer.status >= 200 && answer.status < 400))
      co_return ProbeResult{true, {}, false};
    co_return failure(base::concat("HTTP probe failed with statuscode: ", answer.status));
  }
  co_return failure(base::concat("Get ", base::quote(get.path), ": stopped after ",
                                 kProbeRedirectsMax, " redirects"));
}

base::Task<LoopProber::HttpAnswer> LoopProber::get_once(const HttpGet& get, base::Duration timeout,
                                                        const Deadline& deadline) {
  http::ClientRequest request;
  HttpAnswer answer;
  request.host = get.host;
  request.port = get.port;
  request.target = get.path;
  request.is_brief = true;
  std::string scheme = base::to_lower(get.scheme);
  if (scheme == "https") {
    auto context = tls();
    if (!context) {
      answer.failure = context.status().message();
      co_return answer;
    }
    request.tls = *context;
  }
  for (const auto& [name, value] : get.headers) {
    if (base::equals_ignore_case(name, "Host")) {
      request.host_header = value;
      continue;
    }
    request.headers.add(name, value);
  }
  std::string url = base::concat(scheme, "://", get.host, ":", get.port, get.path);
  request.timeout = timeout;
  request.cancel = deadline.token();
  auto task = options_.http->open(std::move(request));
  auto stream = co_await std::move(task);
  if (!stream) {
    bool is_over = deadline.is_over() || stream.code() == base::Code::deadline_exceeded;
    answer.failure = base::concat(
        "Get ", base::quote(url), ": ",
        is_over ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
                : stream.status().message());
    co_return answer;
  }
  // The body does not decide: reading a little of it lets the server finish its answer.
  answer.status = (*stream)->status();
  answer.location = (*stream)->headers().get("Location");
  std::size_t bytes = 0;
  while (bytes < kProbeBodyBytesMax) {
    auto piece = co_await (*stream)->read();
    if (!piece || piece->empty()) break;
    bytes += piece->size();
  }
  co_return answer;
}

base::Task<ProbeResult> LoopProber::connect_tcp(std::string host, std::uint16_t port,
                                                base::Duration timeout, base::CancelToken cancel) {
  if (options_.loop == nullptr) co_return failure("TCP probes need an event loop");
  auto target = make_target(host, port, AI_NUMERICHOST);
  if (!target) {
    // A name server may take its time.
    auto resolve = [host, port] { return make_target(host, port, 0); };
    target = co_await loop::run_blocking(*options_.work, std::move(resolve));
  }
  if (!target) co_return failure(std::string(target.status().message()));
  Deadline deadline(*options_.timers, timeout, cancel);
  auto connecting = loop::connect_fd(*options_.loop, target->fd.get(), target->address,
                                     target->address_bytes, deadline.token());
  const int error = co_await std::move(connecting);
  if (error == 0) co_return ProbeResult{true, {}, false};
  if (error == ECANCELED)
    co_return failure(base::concat("dial tcp ", host, ":", port, ": i/o timeout"));
  co_return failure(
      base::concat("dial tcp ", host, ":", port, ": connect: ", base::to_lower(strerror(error))));
}

base::Task<ProbeResult> LoopProber::check_grpc(GrpcCheck check, base::Duration timeout,
                                               base::CancelToken cancel) {
  if (options_.loop == nullptr) co_return failure("gRPC probes need an event loop");
  bool v6 = check.host.find(':') != std::string::npos;
  std::string address = v6 ? base::concat("[", check.host, "]:", check.port)
                           : base::concat(check.host, ":", check.port);
  Deadline deadline(*options_.timers, timeout, cancel);
  http::Http2ConnectOptions where;
  where.host = check.host;
  where.port = check.port;
  where.connect_timeout = timeout;
  where.cancel = deadline.token();
  auto connecting = http::connect_http2(*options_.loop, std::move(where));
  auto connection = co_await std::move(connecting);
  if (!connection) {
    base::Status why = connection.status();
    if (deadline.is_over()) why = {base::Code::deadline_exceeded, ""};
    co_return failure(grpc_connect_failure(address, why, timeout));
  }
  http::Http2Request request;
  request.method = "POST";
  request.target = "/grpc.health.v1.Health/Check";
  request.headers.add("content-type", "application/grpc");
  request.headers.add("te", "trailers");
  request.headers.add("user-agent", "kube-probe/1.36");
  request.body = grpc_health_request(check.service);
  request.timeout = timeout;
  request.body_bytes_max = kProbeBodyBytesMax;
  request.cancel = deadline.token();
  auto sending = (*connection)->send(std::move(request));
  auto answer = co_await std::move(sending);
  (*connection)->close();
  if (!answer) co_return failure(grpc_call_failure(answer.status(), timeout));
  co_return plan_grpc_health({answer->status, answer->headers.get("grpc-status"),
                              answer->headers.get("grpc-message"), answer->body},
                             timeout);
}

// Appends what a pipe has; false at its end.
bool drain(int fd, std::string& out) {
  char buffer[4096];
  for (;;) {
    ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    std::size_t room = kHookOutputBytesMax - std::min(kHookOutputBytesMax, out.size());
    out.append(buffer, std::min(room, static_cast<std::size_t>(got)));
  }
}

base::Task<ProbeResult> LoopProber::exec(std::string container_id, std::vector<std::string> command,
                                         base::Duration timeout, base::CancelToken cancel) {
  if (options_.loop == nullptr) co_return failure("exec probes need an event loop");
  Deadline deadline(*options_.timers, timeout, cancel);
  auto* runtime = options_.runtime;
  auto begin = [runtime, container_id, command] {
    runtime::ExecOptions exec_options;
    exec_options.container_id = container_id;
    exec_options.command = command;
    return runtime->exec(exec_options);
  };
  auto session = co_await loop::run_blocking(*options_.work, std::move(begin));
  if (!session) co_return not_asked(std::string(session.status().message()));
  std::shared_ptr<runtime::ExecSession> owned = std::move(*session);
  auto& streams = owned->streams();
  std::string output;
  for (int fd : {streams.stdout_fd.get(), streams.stderr_fd.get(), owned->exit_fd()})
    if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  // The pipes are read as they fill, so that the process never blocks on them.
  base::Notifier look;
  std::vector<std::unique_ptr<loop::FdWatch>> watches;
  bool has_ended = false;
  for (int fd : {streams.stdout_fd.get(), streams.stderr_fd.get()}) {
    if (fd < 0) continue;
    std::size_t slot = watches.size();
    auto watch = options_.loop->watch_fd(fd, loop::Ready::readable,
                                         [fd, slot, &output, &watches](loop::Ready) {
                                           if (!drain(fd, output))
                                             watches[slot]->set_interest(loop::Ready::none);
                                         });
    if (watch) watches.push_back(std::move(*watch));
  }
  auto end_watch = options_.loop->watch_fd(owned->exit_fd(), loop::Ready::readable,
                                           [&has_ended, &look](loop::Ready) {
                                             has_ended = true;
                                             look.notify();
                                           });
  if (!end_watch) co_return failure(std::string(end_watch.status().message()));
  co_await look.wait(deadline.token());
  end_watch->reset();
  watches.clear();
  if (!has_ended) {
    // Destroying the session kills the process; that may block.
    auto drop = [session = std::move(owned)]() mutable {
      session.reset();
      return base::Status();
    };
    co_await loop::run_blocking(*options_.work, std::move(drop));
    if (!deadline.is_over()) co_return failure("cancelled");
    co_return failure(base::concat("command timed out: ", base::quote(base::join(command, " ")),
                                   " timed out after ", timeout.count() / 1'000'000'000, "s"));
  }
  for (int fd : {streams.stdout_fd.get(), streams.stderr_fd.get()})
    if (fd >= 0) drain(fd, output);
  auto finish = [owned] { return owned->exit_code(); };
  auto code = co_await loop::run_blocking(*options_.work, std::move(finish));
  if (!code) co_return failure(std::string(code.status().message()));
  co_return ProbeResult{*code == 0, std::move(output), false};
}

}  // namespace

std::unique_ptr<Prober> make_prober(const AgentOptions& options) {
  return std::make_unique<LoopProber>(options);
}

}  // namespace skiff::agent
