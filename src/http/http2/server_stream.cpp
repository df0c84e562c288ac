#include <skiff/base/strings.h>

#include "http/framer.h"
#include "http/http2/server.h"
#include "http/limits.h"
#include "http/queue_writer.h"
#include "http/response_text.h"
#include "http/server_connection.h"

#include <algorithm>
#include <utility>

namespace skiff::http {

namespace {

// Fields that are the connection's in HTTP/1.1 have no place here (RFC 9113, 8.2.2).
bool is_for_connection(std::string_view name) {
  for (std::string_view one : {"connection", "keep-alive", "proxy-connection", "transfer-encoding",
                               "upgrade", "content-length", "date"})
    if (one == name) return true;
  return false;
}

// Loop-only.
class StreamTransport final : public SessionTransport {
 public:
  explicit StreamTransport(std::shared_ptr<Http2ServerStream> stream)
      : stream_(std::move(stream)), cancel_(stream_->cancel_token()) {}
  void send(std::string_view bytes) override {
    stream_->send_body_pieces({base::SharedBytes(bytes)});
  }
  std::size_t queued_bytes() const override { return stream_->outbox.bytes(); }
  base::CancelToken cancel() const override { return cancel_; }
  base::Timers& timers() override { return stream_->timers(); }
  void resume_input() override { stream_->resume_input(); }

 private:
  std::shared_ptr<Http2ServerStream> stream_;
  base::CancelToken cancel_;
};

}  // namespace

Http2ServerStream::Http2ServerStream(std::shared_ptr<ServerConnection> connection,
                                     Http2Server& server)
    : connection_(std::move(connection)), server_(&server) {
  since_ = input_since_ = sent_since_ = connection_->now();
}

base::Timers& Http2ServerStream::timers() { return connection_->timers(); }

// ---- the request

bool Http2ServerStream::on_header(std::string_view name, std::string_view value) {
  if (headers_done_) return true;  // trailers are of no use here
  if (name == ":method")
    request_.method = value;
  else if (name == ":path")
    request_.target = value;
  else if (name == ":authority")
    authority_ = value;
  else if (name != ":scheme") {
    if (name == ":protocol") {
      is_extended_connect_ = true;
      request_protocol_ = value;
    }
    if (request_.headers.fields().size() >= kHeaderFieldsMax) return false;
    request_.headers.add(std::string(name), std::string(value));
  }
  return true;
}

void Http2ServerStream::on_headers_end() {
  if (headers_done_) return;
  headers_done_ = true;
  if (!authority_.empty() && !request_.headers.has("host"))
    request_.headers.add("host", std::move(authority_));
  if (request_.target.size() > kTargetBytesMax) {
    refuse(414, "the request target is too long");
  } else if (request_.method == "CONNECT" && !is_extended_connect_) {
    refuse(501, "CONNECT is not served");
  } else if (is_extended_connect_) {
    begin_handling();
  }
}

void Http2ServerStream::on_data(std::string_view data) {
  if (session_) {
    uncredited_ += data.size();
    pending_ += data;
    feed_session();
    return;
  }
  auto& engine = server_->engine();
  if (is_extended_connect_) {  // the session has not begun
    uncredited_ += data.size();
    pending_ += data;
    return;
  }
  if (state_ != State::arriving) {  // refused: some clients read the answer only after the body
    discarded_ += data.size();
    if (discarded_ > connection_->core().options().body_bytes_max)
      engine.reset(*this, Http2Error::none);
    else
      engine.consume(*this, data.size());
    return;
  }
  input_since_ = connection_->now();
  std::size_t limit = connection_->core().options().body_bytes_max;
  if (request_.body.size() + data.size() > limit) {
    refuse(413, "");
    return;
  }
  if (!connection_->core().reserve_body(data.size())) {
    refuse(503, "too many request bodies are arriving");
    return;
  }
  body_reserved_ += data.size();
  request_.body += data;
  engine.consume(*this, data.size());
}

void Http2ServerStream::on_end_of_input() {
  input_ended_ = true;
  if (session_) {
    auto session = session_;
    session->on_end();
  } else if (state_ == State::arriving) {
    begin_handling();
  }
}

void Http2ServerStream::release_body() {
  connection_->core().release_body(body_reserved_);
  body_reserved_ = 0;
}

void Http2ServerStream::begin_handling() {
  auto& core = connection_->core();
  core.count_request();
  release_body();
  state_ = State::handling;
  since_ = connection_->now();
  request_.peer = connection_->peer();
  request_.cancel = cancel_.token();
  is_head_ = request_.method == "HEAD";
  server_->handler_begins();
  if (auto response = core.handler().handle_inline(request_)) {
    on_response(std::move(*response));
    return;
  }
  core.dispatch(shared_from_this(), std::exchange(request_, Request()));
}

void Http2ServerStream::refuse(int status, std::string_view reason) {
  connection_->core().count_rejected();
  release_body();
  std::string().swap(request_.body);
  Response response;
  response.status = status;
  if (status == 413) {
    std::string message = base::concat("Request entity too large: limit is ",
                                       connection_->core().options().body_bytes_max);
    response.headers.add("content-type", "application/json");
    response.body.emplace_back(make_status_json(413, "RequestEntityTooLarge", message));
  } else {
    response.headers.add("content-type", "text/plain; charset=utf-8");
    response.body.emplace_back(base::concat(status, " ", reason_phrase(status), ": ", reason));
  }
  state_ = State::handling;
  server_->handler_begins();
  on_response(std::move(response));
}

// ---- the answer

void Http2ServerStream::submit(const Response& response, std::optional<std::uint64_t> length,
                               bool has_body) {
  HeaderFields fields;
  fields.reserve(response.headers.fields().size() + 3);
  fields.emplace_back(":status", std::to_string(response.status));
  for (const auto& [name, value] : response.headers.fields()) {
    std::string lower = base::to_lower(name);
    if (!is_for_connection(lower) && is_sendable_field(name, value))
      fields.emplace_back(std::move(lower), value);
  }
  if (length) fields.emplace_back("content-length", std::to_string(*length));
  fields.emplace_back("date", std::string(connection_->core().date()));
  server_->engine().submit_response(*this, fields, has_body);
}

void Http2ServerStream::on_response(Response response) {
  server_->handler_ends();
  if (state_ != State::handling) return;
  state_ = State::answering;
  since_ = sent_since_ = connection_->now();
  if (response.upgrade)
    answer_session(std::move(response));
  else if (response.stream)
    answer_stream(std::move(response));
  else
    answer_whole(std::move(response));
  server_->pump();
}

namespace {
bool may_have_body(int status) { return status >= 200 && status != 204 && status != 304; }
}  // namespace

void Http2ServerStream::answer_stream(Response response) {
  bool with_body = may_have_body(response.status) && !is_head_;
  submit(response, std::nullopt, with_body);
  if (with_body) run_stream(shared_from_this(), std::move(response.stream));
}

void Http2ServerStream::answer_whole(Response response) {
  std::uint64_t size = 0;
  for (const auto& piece : response.body) size += piece.size();
  bool with_body = may_have_body(response.status) && !is_head_ && size > 0;
  if (with_body) {
    for (auto& piece : response.body) outbox.push(std::move(piece));
    outbox.end();
    server_->deadline_begins();
    connection_->core().note_answer(size);
  }
  submit(response, may_have_body(response.status) ? std::optional(size) : std::nullopt, with_body);
}

Detached Http2ServerStream::run_stream(std::shared_ptr<Http2ServerStream> self, StreamTask task) {
  {
    QueueWriter<Http2ServerStream> writer(self);
    auto body = task(writer);
    co_await body;
  }
  task = StreamTask();
  self->connection_->core().note_answer(self->streamed_bytes_);
  if (self->state_ != State::answering) co_return;
  self->outbox.end();
  self->server_->engine().resume(*self);
  self->server_->pump();
}

void Http2ServerStream::send_body_pieces(const std::vector<base::SharedBytes>& pieces) {
  if (state_ != State::answering) return;
  if (outbox.bytes() == 0) sent_since_ = connection_->now();
  for (const auto& piece : pieces) {
    streamed_bytes_ += piece.size();
    outbox.push(piece);
  }
  if (!session_) server_->deadline_begins();
  server_->engine().resume(*this);
  server_->pump();
}

void Http2ServerStream::abort_stream() {
  if (state_ != State::answering) return;
  server_->engine().reset(*this, Http2Error::cancel);
  server_->pump();
}

bool Http2ServerStream::has_room() const { return outbox.bytes() < kHttp2OutboxBytesMax; }

base::Task<bool> Http2ServerStream::wait_sent() {
  if (!sent_) sent_ = std::make_unique<base::Notifier>();
  return sent_->wait(cancel_.token());
}

void Http2ServerStream::on_sent() {
  sent_since_ = connection_->now();
  if (sent_ && has_room()) sent_->notify();
  if (session_) {
    auto session = session_;
    session->on_sent();
  }
  // A session is over for both sides when it is for ours.
  bool over = outbox.is_ended() && outbox.bytes() == 0;
  if (over && is_extended_connect_ && !input_ended_)
    server_->engine().reset(*this, Http2Error::none);
}

void Http2ServerStream::on_closed(Http2Error) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  release_body();
  outbox.clear();
  cancel_.cancel();
  if (session_) {
    auto session = session_;
    session->on_end();
  }
  if (sent_) sent_->notify();
  connection_->core().note_change();
}

void Http2ServerStream::check_deadlines(base::MonotonicTime now) {
  bool too_long = false;
  switch (state_) {
    case State::arriving:
      too_long = headers_done_
                     ? now >= std::min(input_since_ + kBodyStallTimeout, since_ + kBodyTimeout)
                     : now >= since_ + kHeadTimeout;
      if (too_long)
        refuse(408,
               headers_done_ ? "the request body took too long" : "the request head took too long");
      return;
    case State::handling:
      if (now >= since_ + kHandlerTimeout) cancel_.cancel();
      return;
    case State::answering:
      if (is_half_closed() && now >= since_ + kBodyStallTimeout)
        server_->engine().reset(*this, Http2Error::none);
      // Who reads a session decides how fast.
      if (session_ || outbox.bytes() == 0 || now < sent_since_ + kWriteStallTimeout) return;
      connection_->core().count_rejected();
      stalled_ = true;
      server_->engine().reset(*this, Http2Error::enhance_your_calm);
      return;
    default: return;
  }
}

// ---- sessions

void Http2ServerStream::answer_session(Response response) {
  auto upgrade = std::move(response.upgrade);
  const auto& protocol = request_protocol_;
  bool known = is_extended_connect_ && upgrade->transport == Upgrade::Transport::http2 &&
               std::find(upgrade->protocols.begin(), upgrade->protocols.end(), protocol) !=
                   upgrade->protocols.end();
  if (!known) {
    Response refusal;
    refusal.status = 400;
    refusal.headers.add("content-type", "text/plain; charset=utf-8");
    refusal.body.emplace_back(std::string("unable to upgrade: not over this connection\n"));
    answer_whole(std::move(refusal));
    return;
  }
  submit(response, std::nullopt, true);
  session_ = make_framed_session(std::make_unique<StreamTransport>(shared_from_this()), protocol);
  run_session(shared_from_this(), session_, std::move(upgrade->run));
  if (session_ && !pending_.empty()) feed_session();
  if (session_ && input_ended_) session_->on_end();
}

void Http2ServerStream::feed_session() {
  auto session = session_;
  auto used = session->on_input(pending_);
  if (state_ == State::closed) return;
  if (!used) {
    connection_->core().count_rejected();
    server_->engine().reset(*this, Http2Error::cancel);
    server_->pump();
    return;
  }
  pending_.erase(0, *used);
  if (pending_.empty()) std::string().swap(pending_);
  // A frame that is not complete yet must be able to become so.
  if (!session->has_room()) return;
  server_->engine().consume(*this, std::exchange(uncredited_, 0));
  server_->pump();
}

void Http2ServerStream::resume_input() {
  if (session_ && state_ == State::answering) feed_session();
}

Detached Http2ServerStream::run_session(std::shared_ptr<Http2ServerStream> self,
                                        std::shared_ptr<UpgradedSession> session,
                                        SessionTask task) {
  {
    auto running = task(*session);
    co_await running;
  }
  task = SessionTask();
  self->session_ = nullptr;
  if (self->state_ != State::answering) co_return;
  self->outbox.end();
  self->server_->engine().resume(*self);
  self->server_->pump();
}

}  // namespace skiff::http
