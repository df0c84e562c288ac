// The client's side of an HTTP/2 connection.
#include <skiff/http/http2.h>

#include <skiff/base/strings.h>

#include "http/client_connection.h"
#include "http/deadline.h"
#include "http/framer.h"
#include "http/http2/engine.h"
#include "http/limits.h"
#include "http/sessions/channel_session.h"

#include <algorithm>
#include <deque>
#include <utility>

namespace skiff::http {

namespace {

class ClientLink;

// One request and its answer. Loop-only.
class ClientStream final : public Http2Stream, public std::enable_shared_from_this<ClientStream> {
 public:
  explicit ClientStream(std::shared_ptr<ClientLink> link) : link_(std::move(link)) {}

  bool on_header(std::string_view name, std::string_view value) override {
    if (!head_done_ && name == ":status") {
      status_ = static_cast<int>(base::parse_int(value).value_or(0));
      return true;
    }
    if (headers_.fields().size() >= kHeaderFieldsMax) return false;
    headers_.add(std::string(name), std::string(value));
    return true;
  }
  void on_headers_end() override {
    if (head_done_) return;  // trailers
    if (status_ < 200) {
      headers_ = Headers();  // 1xx
      return;
    }
    head_done_ = true;
    changed_.notify();
  }
  void on_data(std::string_view data) override {
    uncredited_ += data.size();
    body_ += data;
    if (session_) feed_session();
    changed_.notify();
  }
  void on_end_of_input() override {
    input_ended_ = true;
    end_session_input();
    changed_.notify();
  }
  void on_sent() override {
    if (session_) {
      auto session = session_;
      session->on_sent();
    }
  }
  void on_closed(Http2Error error) override;

  // Returns when the head is there or the stream has ended.
  base::Task<base::Status> wait_head(base::CancelToken cancel) {
    while (!head_done_ && !closed_) {
      auto waiting = changed_.wait(cancel);
      bool woken = co_await waiting;
      if (!woken) co_return base::cancelled("the request was cancelled");
    }
    co_return head_done_ ? base::Status::ok() : failure_;
  }
  // The next piece of the body; empty at its end.
  base::Task<base::Result<std::string>> read(base::CancelToken cancel) {
    while (body_.empty() && !input_ended_) {
      if (closed_) co_return failure_;
      auto waiting = changed_.wait(cancel);
      bool woken = co_await waiting;
      if (!woken) co_return base::cancelled("the request was cancelled");
    }
    std::string piece = std::exchange(body_, std::string());
    credit();
    co_return piece;
  }
  // Not more than `bytes_max`.
  base::Task<base::Result<std::string>> read_all(std::size_t bytes_max, base::CancelToken cancel) {
    std::string all;
    for (;;) {
      auto reading = read(cancel);
      auto piece = co_await reading;
      if (!piece) co_return piece.status();
      if (piece->empty()) co_return all;
      all += *piece;
      if (all.size() > bytes_max)
        co_return base::Status(base::Code::too_large, "the answer is too large");
    }
  }

  void begin_session(std::shared_ptr<UpgradedSession> session) {
    session_ = std::move(session);
    if (!body_.empty()) feed_session();
    if (input_ended_ || closed_) end_session_input();
  }
  void end_session() { session_ = nullptr; }
  void feed_session();
  void queue(base::SharedBytes bytes);
  void end_output();
  // Ends both directions unless they have ended.
  void drop();
  base::CancelToken cancel_token() const { return gone_.token(); }
  loop::Loop& loop();

  int status() const { return status_; }
  const Headers& headers() const { return headers_; }

 private:
  void end_session_input() {
    if (!session_) return;
    auto session = session_;
    session->on_end();
  }
  void credit();

  std::shared_ptr<ClientLink> link_;
  int status_ = 0;
  Headers headers_;
  std::string body_;            // that nobody has read
  std::size_t uncredited_ = 0;  // bytes that the peer's window still lacks
  bool head_done_ = false, input_ended_ = false, closed_ = false;
  base::Status failure_;
  base::Notifier changed_;
  base::CancelSource gone_;
  std::shared_ptr<UpgradedSession> session_;
};

// The connection; streams hold it. Loop-only.
class ClientLink final : public PipeOwner,
                         public Http2Owner,
                         public std::enable_shared_from_this<ClientLink> {
 public:
  ClientLink(loop::Loop& loop, Http2ConnectOptions options)
      : loop_(loop),
        options_(std::move(options)),
        engine_(Http2Engine::Side::client, settings(), *this) {}
  ~ClientLink() override {
    if (timer_ != 0) loop_.cancel_timer(timer_);
  }

  base::Status start(std::unique_ptr<loop::Socket> socket) {
    std::unique_ptr<TlsSession> tls;
    if (options_.tls) {
      const auto& name = options_.server_name.empty() ? options_.host : options_.server_name;
      SKIFF_ASSIGN_OR_RETURN(tls, TlsSession::make_client(*options_.tls, name, true));
    }
    pipe_ = std::make_unique<SocketPipe>(loop_, std::move(socket), std::move(tls), *this);
    last_input_ = now();
    return pipe_->start(true);
  }
  // TLS is up and the server has said what it takes.
  base::Task<base::Status> wait_ready(base::CancelToken cancel) {
    while (is_open() && !engine_.has_peer_settings()) {
      auto waiting = changed_.wait(cancel);
      bool woken = co_await waiting;
      if (!woken) co_return base::cancelled("connecting took too long");
    }
    co_return is_open() ? base::Status::ok() : failure_;
  }

  bool is_open() const { return pipe_ && pipe_->is_open(); }
  bool takes_requests() const { return is_open() && !going_away_; }
  const base::Status& failure() const { return failure_; }
  Http2Engine& engine() { return engine_; }
  Http2Backlog backlog() const {
    Http2Backlog all;
    all.streams = engine_.stream_count();
    for (const auto& [id, stream] : engine_.streams())
      all.stream_bytes = std::max(all.stream_bytes, stream->outbox.bytes());
    if (pipe_) all.connection_bytes = pipe_->queued_bytes();
    return all;
  }
  loop::Loop& loop() { return loop_; }
  base::CancelToken closed() const { return closed_.token(); }
  std::string_view scheme() const { return options_.tls ? "https" : "http"; }
  std::string authority() const {
    bool v6 = options_.host.find(':') != std::string::npos;
    return v6 ? base::concat("[", options_.host, "]:", static_cast<int>(options_.port))
              : base::concat(options_.host, ":", static_cast<int>(options_.port));
  }
  void close(base::Status why) {
    if (is_open()) pipe_->close(std::move(why));
  }

  void pump() {
    if (pumping_ || !is_open() || !pipe_->is_established()) return;
    pumping_ = true;
    while (is_open() && pipe_->queued_bytes() < kHttp2OutputBytesMax) {
      auto bytes = engine_.take_output();
      if (bytes.empty()) break;
      pipe_->send(std::move(bytes));
    }
    pumping_ = false;
    if (is_open()) pipe_->flush();
  }

  std::shared_ptr<void> keep_alive() override { return shared_from_this(); }
  void on_established() override {
    if (pipe_->tls() != nullptr && !pipe_->tls()->is_http2()) {
      pipe_->close({base::Code::unimplemented, "the server does not speak HTTP/2"});
      return;
    }
    pump();
    arm_ping();
  }
  void on_input() override {
    last_input_ = now();
    auto keep = shared_from_this();
    auto status = engine_.receive(pipe_->input());
    if (!is_open()) return;
    pipe_->consume(pipe_->input().size());
    changed_.notify();
    pump();
    if (!status.is_ok()) close(std::move(status));
  }
  void on_end_of_input() override {
    close(base::unavailable("the server has closed the connection"));
  }
  void on_sent() override { pump(); }
  void on_closed(base::Status why) override {
    failure_ = why.is_ok() ? base::unavailable("the connection is closed") : std::move(why);
    if (timer_ != 0) loop_.cancel_timer(timer_);
    timer_ = 0;
    auto keep = shared_from_this();
    auto streams = engine_.streams();
    engine_.forget_streams();
    for (auto& [id, stream] : streams) stream->on_closed(Http2Error::cancel);
    closed_.cancel();
    changed_.notify();
  }

  std::shared_ptr<Http2Stream> on_stream(std::int32_t) override { return nullptr; }
  void on_ping_answer() override { ping_sent_ = false; }
  void on_go_away() override { going_away_ = true; }

 private:
  static Http2Settings settings() {
    Http2Settings settings;
    settings.stream_window_bytes = kHttp2StreamWindowBytes;
    settings.connection_window_bytes = kHttp2ConnectionWindowBytes;
    settings.header_list_bytes_max = static_cast<std::uint32_t>(kResponseHeadBytesMax);
    return settings;
  }
  base::MonotonicTime now() const { return loop_.clock().monotonic(); }

  void arm_ping() {
    if (options_.ping_interval == base::Duration::zero()) return;
    auto due = ping_sent_ ? options_.ping_timeout : last_input_ + options_.ping_interval - now();
    timer_ = loop_.start_timer(std::max(due, base::Duration::zero()), [this] {
      timer_ = 0;
      on_timer();
    });
  }
  void on_timer() {
    auto keep = shared_from_this();
    if (ping_sent_) {
      close({base::Code::deadline_exceeded, "the server does not answer a ping"});
      return;
    }
    if (last_input_ + options_.ping_interval <= now()) {
      ping_sent_ = true;
      engine_.ping();
      pump();
    }
    if (is_open()) arm_ping();
  }

  loop::Loop& loop_;
  const Http2ConnectOptions options_;
  Http2Engine engine_;
  std::unique_ptr<SocketPipe> pipe_;
  base::Status failure_;
  base::Notifier changed_;
  base::CancelSource closed_;
  base::MonotonicTime last_input_;
  base::TimerId timer_ = 0;
  bool pumping_ = false, going_away_ = false, ping_sent_ = false;
};

void ClientStream::on_closed(Http2Error error) {
  if (closed_) return;
  closed_ = true;
  if (error == Http2Error::refused_stream)
    failure_ = base::unavailable("the server refuses further requests on this connection");
  else if (!link_->is_open())
    failure_ =
        link_->failure().is_ok() ? base::unavailable("the connection is lost") : link_->failure();
  else
    failure_ = base::unavailable("the server ended the stream before its end");
  outbox.clear();
  gone_.cancel();
  end_session_input();
  changed_.notify();
}

void ClientStream::credit() {
  std::size_t bytes = std::exchange(uncredited_, 0);
  if (bytes == 0 || closed_) return;
  link_->engine().consume(*this, bytes);
  link_->pump();
}

void ClientStream::feed_session() {
  auto session = session_;
  auto used = session->on_input(body_);
  if (!used) {
    drop();
    return;
  }
  body_.erase(0, *used);
  if (body_.empty()) std::string().swap(body_);
  if (session->has_room()) credit();
}

void ClientStream::queue(base::SharedBytes bytes) {
  if (closed_) return;
  outbox.push(std::move(bytes));
  link_->engine().resume(*this);
  link_->pump();
}

void ClientStream::end_output() {
  if (closed_) return;
  outbox.end();
  link_->engine().resume(*this);
  link_->pump();
}

void ClientStream::drop() {
  if (closed_) return;
  link_->engine().reset(*this, Http2Error::cancel);
  link_->pump();
}

loop::Loop& ClientStream::loop() { return link_->loop(); }

// Loop-only.
class ClientTransport final : public SessionTransport {
 public:
  explicit ClientTransport(std::shared_ptr<ClientStream> stream) : stream_(std::move(stream)) {}
  void send(std::string_view bytes) override { stream_->queue(base::SharedBytes(bytes)); }
  std::size_t queued_bytes() const override { return stream_->outbox.bytes(); }
  base::CancelToken cancel() const override { return stream_->cancel_token(); }
  base::Timers& timers() override { return stream_->loop(); }
  void resume_input() override { stream_->feed_session(); }

 private:
  std::shared_ptr<ClientStream> stream_;
};

// What the caller holds of a session; its end is the stream's.
class HeldSession final : public ChannelSession {
 public:
  HeldSession(std::shared_ptr<ClientStream> stream, std::shared_ptr<UpgradedSession> session)
      : stream_(std::move(stream)), session_(std::move(session)) {}
  ~HeldSession() override {
    stream_->end_session();
    stream_->drop();
  }
  std::string_view protocol() const override { return session_->protocol(); }
  base::Task<base::Result<std::optional<ChannelFrame>>> read() override { return session_->read(); }
  base::Task<base::Status> write(ChannelFrame frame) override {
    return session_->write(std::move(frame));
  }
  void close() override {
    session_->close();
    stream_->end_output();
  }
  base::CancelToken cancel() const override { return session_->cancel(); }

 private:
  std::shared_ptr<ClientStream> stream_;
  std::shared_ptr<UpgradedSession> session_;
};

class HeldResponse final : public ResponseStream {
 public:
  HeldResponse(std::shared_ptr<ClientStream> stream, base::CancelToken cancel)
      : stream_(std::move(stream)), cancel_(std::move(cancel)) {}
  ~HeldResponse() override { stream_->drop(); }
  int status() const override { return stream_->status(); }
  const Headers& headers() const override { return stream_->headers(); }
  base::Task<base::Result<std::string>> read() override { return stream_->read(cancel_); }
  base::Task<base::Status> write(std::string) override {
    co_return base::Status(base::Code::unimplemented, "no raw pipe over HTTP/2");
  }

 private:
  std::shared_ptr<ClientStream> stream_;
  base::CancelToken cancel_;
};

base::Result<HeaderFields> request_fields(const Http2Request& request, std::string_view scheme,
                                          std::string authority, std::string_view protocol) {
  HeaderFields fields{{":method", request.method},
                      {":scheme", std::string(scheme)},
                      {":authority", std::move(authority)},
                      {":path", request.target}};
  if (!protocol.empty()) fields.emplace_back(":protocol", protocol);
  for (const auto& [name, value] : request.headers.fields()) {
    if (!is_sendable_field(name, value))
      return base::invalid_argument(base::concat("malformed HTTP header ", base::quote(name)));
    if (!base::equals_ignore_case(name, "host")) fields.emplace_back(base::to_lower(name), value);
  }
  if (!request.body.empty())
    fields.emplace_back("content-length", std::to_string(request.body.size()));
  return fields;
}

base::Status explain(const Deadline& deadline, base::Status failure) {
  if (!deadline.is_expired()) return failure;
  return {base::Code::deadline_exceeded, "no answer in time"};
}

using StreamResult = base::Result<std::shared_ptr<ClientStream>>;

// Sends the request and waits for the head of its answer.
base::Task<StreamResult> begin(std::shared_ptr<ClientLink> link, Http2Request request,
                               std::string protocol) {
  if (!link->takes_requests()) co_return base::unavailable("the connection is closed");
  auto fields = request_fields(request, link->scheme(), link->authority(), protocol);
  if (!fields) co_return fields.status();
  auto stream = std::make_shared<ClientStream>(link);
  bool has_body = !request.body.empty() || !protocol.empty();
  if (!request.body.empty()) stream->outbox.push(base::SharedBytes(std::move(request.body)));
  if (protocol.empty()) stream->outbox.end();
  auto submitted = link->engine().submit_request(stream, *fields, has_body);
  if (!submitted.is_ok()) co_return submitted;
  link->pump();
  Deadline deadline(link->loop(), request.timeout, request.cancel);
  auto waiting = stream->wait_head(deadline.token());
  auto arrived = co_await waiting;
  if (!arrived.is_ok()) {
    stream->drop();
    co_return explain(deadline, std::move(arrived));
  }
  co_return stream;
}

base::Status refusal_of(int status, std::string_view text) {
  auto code = base::Code::invalid_argument;
  if (status == 401) code = base::Code::unauthenticated;
  if (status == 403) code = base::Code::permission_denied;
  if (status == 404) code = base::Code::not_found;
  if (status >= 500) code = base::Code::unavailable;
  return {code, base::concat("HTTP ", status, ": ", base::trim(text))};
}

class ConnectionHandle final : public Http2Connection {
 public:
  explicit ConnectionHandle(std::shared_ptr<ClientLink> link) : link_(std::move(link)) {}
  ~ConnectionHandle() override { close(); }

  base::Task<base::Result<ClientResponse>> send(Http2Request request) override {
    return send_on(link_, std::move(request));
  }
  base::Task<base::Result<std::unique_ptr<ResponseStream>>> open(Http2Request request) override {
    return open_on(link_, std::move(request));
  }
  base::Task<base::Result<std::unique_ptr<ChannelSession>>> open_session(
      std::string protocol, Http2Request request) override {
    return open_session_on(link_, std::move(protocol), std::move(request));
  }
  base::CancelToken closed() const override { return link_->closed(); }
  void close() override { link_->close(base::cancelled("the connection was closed")); }
  Http2Backlog backlog() const override { return link_->backlog(); }

 private:
  static base::Task<base::Result<ClientResponse>> send_on(std::shared_ptr<ClientLink> link,
                                                          Http2Request request) {
    auto cancel = request.cancel;
    auto bytes_max = request.body_bytes_max;
    auto beginning = begin(link, std::move(request), {});
    auto stream = co_await beginning;
    if (!stream) co_return stream.status();
    auto reading = (*stream)->read_all(bytes_max, cancel);
    auto body = co_await reading;
    (*stream)->drop();
    if (!body) co_return body.status();
    ClientResponse response;
    response.status = (*stream)->status();
    response.headers = (*stream)->headers();
    response.body = std::move(*body);
    co_return response;
  }
  static base::Task<base::Result<std::unique_ptr<ResponseStream>>> open_on(
      std::shared_ptr<ClientLink> link, Http2Request request) {
    auto cancel = request.cancel;
    auto beginning = begin(link, std::move(request), {});
    auto stream = co_await beginning;
    if (!stream) co_return stream.status();
    co_return std::unique_ptr<ResponseStream>(
        std::make_unique<HeldResponse>(std::move(*stream), cancel));
  }
  static base::Task<base::Result<std::unique_ptr<ChannelSession>>> open_session_on(
      std::shared_ptr<ClientLink> link, std::string protocol, Http2Request request) {
    if (!link->engine().peer_takes_extended_connect())
      co_return base::Status(base::Code::unimplemented,
                             "the server does not take sessions over HTTP/2");
    request.method = "CONNECT";
    request.body.clear();
    auto cancel = request.cancel;
    auto bytes_max = request.body_bytes_max;
    auto beginning = begin(link, std::move(request), protocol);
    auto stream = co_await beginning;
    if (!stream) co_return stream.status();
    int status = (*stream)->status();
    if (status < 200 || status > 299) {
      auto reading = (*stream)->read_all(bytes_max, cancel);
      auto text = co_await reading;
      (*stream)->drop();
      co_return refusal_of(status, text ? *text : std::string());
    }
    std::shared_ptr<UpgradedSession> session =
        make_framed_session(std::make_unique<ClientTransport>(*stream), std::move(protocol));
    (*stream)->begin_session(session);
    co_return std::unique_ptr<ChannelSession>(
        std::make_unique<HeldSession>(std::move(*stream), std::move(session)));
  }

  std::shared_ptr<ClientLink> link_;
};

}  // namespace

base::Task<base::Result<std::unique_ptr<Http2Connection>>> connect_http2(
    loop::Loop& loop, Http2ConnectOptions options) {
  auto pool = std::make_shared<ClientPool>(loop);
  Deadline deadline(loop, options.connect_timeout, options.cancel);
  std::string where = base::concat(options.host, ":", static_cast<int>(options.port));
  auto connecting =
      connect_to(pool, options.host, options.port, SocketUse::lasting, deadline.token());
  auto socket = co_await connecting;
  if (!socket) co_return explain(deadline, socket.status()).with_context(where);
  auto link = std::make_shared<ClientLink>(loop, std::move(options));
  auto started = link->start(std::move(*socket));
  if (!started.is_ok()) co_return started.with_context(where);
  auto waiting = link->wait_ready(deadline.token());
  auto ready = co_await waiting;
  if (!ready.is_ok()) {
    link->close(ready);
    co_return explain(deadline, std::move(ready)).with_context(where);
  }
  co_return std::unique_ptr<Http2Connection>(std::make_unique<ConnectionHandle>(std::move(link)));
}

}  // namespace skiff::http
