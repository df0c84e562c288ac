#include <skiff/base/strings.h>
#include <skiff/http/client.h>

#include "http/client_connection.h"
#include "http/deadline.h"
#include "http/limits.h"

#include <algorithm>

namespace skiff::http {

namespace {

std::string host_and_port(const ClientRequest& request) {
  bool v6 = request.host.find(':') != std::string::npos;
  return v6 ? base::concat("[", request.host, "]:", static_cast<int>(request.port))
            : base::concat(request.host, ":", static_cast<int>(request.port));
}

// Who may answer the same request over an idle connection.
std::string reuse_key(const ClientRequest& request) {
  char tls[32];
  std::snprintf(tls, sizeof tls, "%p", static_cast<void*>(request.tls.get()));
  return base::concat(host_and_port(request), "|", request.server_name, "|",
                      static_cast<const char*>(tls), request.is_brief ? "|brief" : "");
}

// A closed idle connection is noticed only when a request is on its way: these may go again.
bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS";
}

base::Result<std::string> make_head(const ClientRequest& request) {
  bool visible = std::all_of(request.target.begin(), request.target.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7f;
  });
  if (!is_token(request.method) || request.target.empty() || !visible)
    return base::invalid_argument("malformed HTTP request target or method");
  std::string host = request.host_header.empty() ? host_and_port(request) : request.host_header;
  if (!is_sendable_field("Host", host)) return base::invalid_argument("malformed Host header");
  std::string head =
      base::concat(request.method, " ", request.target, " HTTP/1.1\r\nHost: ", host, "\r\n");
  for (const auto& [name, value] : request.headers.fields()) {
    if (!is_sendable_field(name, value))
      return base::invalid_argument(base::concat("malformed HTTP header ", base::quote(name)));
    if (base::equals_ignore_case(name, "Host") ||
        base::equals_ignore_case(name, "Content-Length") ||
        base::equals_ignore_case(name, "Transfer-Encoding"))
      continue;
    head += base::concat(name, ": ", value, "\r\n");
  }
  bool has_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (has_body || !request.body.empty())
    head += base::concat("Content-Length: ", request.body.size(), "\r\n");
  head += "\r\n";
  return head;
}

// Ends the attempt at its deadline or when the caller cancels. Lives while the request does.
class Attempt {
 public:
  Attempt(loop::Loop& loop, const ClientRequest& request)
      : loop_(loop), deadline_(loop, request.timeout, request.cancel) {}

  base::CancelToken token() const { return deadline_.token(); }
  void end_timer() { deadline_.end_timer(); }
  // Why it ended, when it was the attempt that ended it.
  base::Status explain(base::Status failure, const ClientRequest& request) const {
    if (deadline_.is_expired()) {
      auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(request.timeout).count();
      return {base::Code::deadline_exceeded,
              base::concat(host_and_port(request), ": no answer within ", ms, " ms")};
    }
    if (deadline_.is_cancelled()) return base::cancelled("the request was cancelled");
    return failure.with_context(host_and_port(request));
  }
  // Closes `connection` when the attempt is stopped, from whatever thread.
  base::CancelCallback watch(const std::shared_ptr<ClientConnection>& connection) const {
    return base::CancelCallback(
        deadline_.token(),
        [loop = &loop_, weak = std::weak_ptr<ClientConnection>(connection)]() mutable {
          loop->post([weak = std::move(weak)] {
            if (auto live = weak.lock()) live->fail(base::cancelled("the request was cancelled"));
          });
        });
  }

 private:
  loop::Loop& loop_;
  Deadline deadline_;
};

class ClientStream final : public ResponseStream {
 public:
  ClientStream(std::shared_ptr<ClientPool> pool, std::string target,
               std::shared_ptr<ClientConnection> connection, ResponseHead head,
               std::unique_ptr<Attempt> attempt, base::CancelCallback on_cancel)
      : pool_(std::move(pool)),
        target_(std::move(target)),
        connection_(std::move(connection)),
        head_(std::move(head)),
        attempt_(std::move(attempt)),
        on_cancel_(std::move(on_cancel)) {}
  ~ClientStream() override {
    on_cancel_.reset();
    if (connection_->is_reusable())
      pool_->put(target_, std::move(connection_));
    else
      connection_->fail(base::cancelled("the answer was dropped"));
  }

  int status() const override { return head_.status; }
  const Headers& headers() const override { return head_.headers; }
  base::Task<base::Result<std::string>> read() override { return connection_->read_body(); }
  base::Task<base::Status> write(std::string bytes) override {
    return connection_->write_raw(std::move(bytes));
  }

 private:
  std::shared_ptr<ClientPool> pool_;
  std::string target_;
  std::shared_ptr<ClientConnection> connection_;
  ResponseHead head_;
  std::unique_ptr<Attempt> attempt_;
  base::CancelCallback on_cancel_;
};

using OpenResult = base::Result<std::unique_ptr<ResponseStream>>;

base::Task<base::Result<std::shared_ptr<ClientConnection>>> connect_new(
    std::shared_ptr<ClientPool> pool, std::string host, std::uint16_t port, std::string server_name,
    std::shared_ptr<TlsContext> tls, SocketUse use, base::CancelToken cancel) {
  auto connecting = connect_to(pool, host, port, use, cancel);
  auto socket = co_await connecting;
  if (!socket) co_return socket.status();
  auto connection = std::make_shared<ClientConnection>(pool->loop(), std::move(tls));
  auto started = connection->start(std::move(*socket), server_name.empty() ? host : server_name);
  if (!started.is_ok()) co_return started;
  co_return connection;
}

base::Task<OpenResult> open_request(std::shared_ptr<ClientPool> pool, ClientRequest request) {
  auto head = make_head(request);
  if (!head) co_return head.status();
  std::string target = reuse_key(request);
  auto attempt = std::make_unique<Attempt>(pool->loop(), request);
  const SocketUse use = request.is_brief ? SocketUse::brief : SocketUse::lasting;
  bool may_reuse = true;
  for (;;) {
    std::shared_ptr<ClientConnection> connection;
    if (may_reuse) connection = pool->take(target);
    bool reused = connection != nullptr;
    if (!reused) {
      auto connecting = connect_new(pool, request.host, request.port, request.server_name,
                                    request.tls, use, attempt->token());
      auto made = co_await connecting;
      if (!made) co_return attempt->explain(made.status(), request);
      connection = std::move(*made);
    }
    auto on_cancel = attempt->watch(connection);
    auto handshake = connection->wait_established();
    auto ready = co_await handshake;
    if (!ready.is_ok()) co_return attempt->explain(std::move(ready), request);
    if (request.bound_body) {
      request.body = request.bound_body(connection->channel_binding());
      head = make_head(request);
      if (!head) co_return head.status();
    }
    connection->begin(*head, request.body, request.method);
    auto reading = connection->read_head();
    auto answer = co_await reading;
    if (answer) {
      attempt->end_timer();
      co_return std::unique_ptr<ResponseStream>(
          std::make_unique<ClientStream>(pool, target, std::move(connection), std::move(*answer),
                                         std::move(attempt), std::move(on_cancel)));
    }
    bool stale = reused && !connection->saw_answer() && !attempt->token().is_cancelled();
    if (!stale || !is_idempotent(request.method))
      co_return attempt->explain(answer.status(), request);
    may_reuse = false;
  }
}

base::Task<base::Result<ClientResponse>> send_request(std::shared_ptr<ClientPool> pool,
                                                      ClientRequest request) {
  std::size_t limit = request.body_bytes_max;
  std::string where = host_and_port(request);
  // The body gets as long as the head did.
  auto timeout = request.timeout;
  base::CancelSource stop = base::CancelSource::child_of(request.cancel);
  request.cancel = stop.token();
  auto opening = open_request(pool, std::move(request));
  auto stream = co_await opening;
  if (!stream) co_return stream.status();
  base::TimerId timer = pool->loop().start_timer(timeout, [stop] { stop.cancel(); });
  ClientResponse response;
  response.status = (*stream)->status();
  response.headers = (*stream)->headers();
  base::Status failure;
  for (;;) {
    auto reading = (*stream)->read();
    auto piece = co_await reading;
    if (!piece) {
      failure = piece.status().with_context(where);
      break;
    }
    if (piece->empty()) break;
    if (response.body.size() + piece->size() > limit) {
      failure = base::Status(base::Code::too_large,
                             base::concat(where, ": the answer is over ", limit, " bytes"));
      break;
    }
    response.body += *piece;
  }
  pool->loop().cancel_timer(timer);
  if (!failure.is_ok()) co_return failure;
  co_return response;
}

class LoopClient final : public AsyncClient {
 public:
  explicit LoopClient(loop::Loop& loop) : pool_(std::make_shared<ClientPool>(loop)) {}
  base::Task<OpenResult> open(ClientRequest request) override {
    return open_request(pool_, std::move(request));
  }
  base::Task<base::Result<ClientResponse>> send(ClientRequest request) override {
    return send_request(pool_, std::move(request));
  }

 private:
  std::shared_ptr<ClientPool> pool_;
};

}  // namespace

std::unique_ptr<AsyncClient> make_async_client(loop::Loop& loop) {
  return std::make_unique<LoopClient>(loop);
}

}  // namespace skiff::http
