#include "http/server_connection.h"

#include <skiff/base/strings.h>

#include "http/limits.h"
#include "http/queue_writer.h"
#include "http/response_text.h"

#include <algorithm>
#include <cstdio>

namespace skiff::http {

namespace {
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
}  // namespace

ServerConnection::~ServerConnection() {
  if (timer_ != 0) core_->loop().cancel_timer(timer_);
}

base::Status ServerConnection::start(std::unique_ptr<loop::Socket> socket,
                                     std::unique_ptr<TlsSession> tls) {
  pipe_ = std::make_unique<SocketPipe>(core_->loop(), std::move(socket), std::move(tls), *this);
  state_since_ = now();
  trust_changes_ = core_->trust_changes();
  SKIFF_RETURN_IF_ERROR(pipe_->start(false));
  arm_timer();
  return base::Status::ok();
}

void ServerConnection::on_established() {
  state_ = State::head;
  state_since_ = now();
  if (pipe_->tls() == nullptr) return;
  pipe_->tls()->describe_peer(peer_);
  if (trust_changes_ != core_->trust_changes() && core_->end_if_untrusted(*this)) return;
  if (!pipe_->tls()->is_http2()) return;
  state_ = State::http2;
  http2_ = std::make_unique<Http2Server>(*this);
}

void ServerConnection::on_input() { process_input(); }

void ServerConnection::process_input() {
  bool go_on = true;
  while (go_on && pipe_->is_open()) {
    switch (state_) {
      case State::head: go_on = read_head(); break;
      case State::body: go_on = read_body(); break;
      case State::upgraded:
        feed_upgraded();
        go_on = false;
        break;
      case State::http2:
        if (!pipe_->input().empty()) http2_->on_input();
        go_on = false;
        break;
      default: go_on = false;
    }
  }
  if (pipe_->is_open()) arm_timer();
}

bool ServerConnection::read_head() {
  if (!has_room()) return false;  // on_sent comes back here
  std::string_view input = pipe_->input();
  if (input.empty()) return false;
  auto scanned = scanner_.scan(input);
  if (scanned == HeadScanner::State::bad) {
    refuse({400, "malformed line end"});
    return false;
  }
  bool complete = scanned == HeadScanner::State::complete;
  if ((complete ? scanner_.head_bytes() : input.size()) > core_->options().head_bytes_max) {
    refuse({431, "request header fields too large"});
    return false;
  }
  if (!complete) {
    if (!head_begun_) state_since_ = now();
    head_begun_ = true;
    return false;
  }
  head_begun_ = false;
  return begin_request(scanner_.head_bytes());
}

bool ServerConnection::begin_request(std::size_t head_bytes) {
  request_ = std::make_unique<RequestHead>();
  auto error = parse_request_head(pipe_->input().substr(0, head_bytes), *request_);
  if (error) {
    refuse(*error);
    return false;
  }
  pipe_->consume(head_bytes);
  scanner_.reset();
  is_head_request_ = request_->method == "HEAD";
  minor_version_ = request_->minor_version;
  request_keep_alive_ = request_->keep_alive;
  if (request_->body == BodyKind::none) {
    complete_request();
    return true;
  }
  std::size_t limit = core_->options().body_bytes_max;
  if (request_->body == BodyKind::length && request_->content_length > limit) {
    refuse({413, ""});
    return false;
  }
  decoder_ = std::make_unique<BodyDecoder>();
  decoder_->start(request_->body, request_->content_length, limit);
  state_ = State::body;
  state_since_ = input_since_ = now();
  if (request_->expects_continue && pipe_->input().empty()) {
    pipe_->send(kContinue);
    send_soon();
  }
  return true;
}

bool ServerConnection::read_body() {
  std::string_view input = pipe_->input();
  std::size_t consumed = 0;
  std::size_t before = body_.size();
  auto state = decoder_->decode(input, body_, consumed);
  std::size_t grown = body_.size() - before;
  if (grown > 0 && !core_->reserve_body(grown)) {
    refuse({503, "too many request bodies are arriving"});
    return false;
  }
  body_reserved_ += grown;
  pipe_->consume(consumed);
  if (consumed > 0) input_since_ = now();
  switch (state) {
    case BodyDecoder::State::need_more: return false;
    case BodyDecoder::State::bad: refuse({400, "malformed chunked body"}); return false;
    case BodyDecoder::State::too_large: refuse({413, ""}); return false;
    case BodyDecoder::State::done: break;
  }
  complete_request();
  return true;
}

void ServerConnection::release_body() {
  core_->release_body(body_reserved_);
  body_reserved_ = 0;
  std::string().swap(body_);
  decoder_.reset();
}

void ServerConnection::complete_request() {
  core_->count_request();
  cancel_ = base::CancelSource();
  handler_timed_out_ = false;
  Request request;
  request.method = std::move(request_->method);
  request.target = std::move(request_->target);
  request.headers = std::move(request_->headers);
  if (request_->wants_upgrade) {
    upgrade_headers_ = request.headers;
    upgrade_method_ = request.method;
  }
  request_.reset();
  request.body = std::move(body_);
  release_body();
  request.peer = peer_;
  request.cancel = cancel_.token();
  state_ = State::handling;
  state_since_ = now();
  if (auto response = core_->handler().handle_inline(request)) {
    answer(std::move(*response));
    return;
  }
  core_->dispatch(shared_from_this(), std::move(request));
}

void ServerConnection::on_response(Response response) {
  if (state_ != State::handling) return;
  answer(std::move(response));
  process_input();
}

bool ServerConnection::keeps_alive() const {
  return request_keep_alive_ && !input_ended_ && !core_->is_stopping();
}

void ServerConnection::answer(Response response) {
  if (response.upgrade)
    answer_upgrade(std::move(response));
  else if (response.stream)
    answer_stream(std::move(response));
  else
    answer_whole(std::move(response));
}

void ServerConnection::answer_whole(Response response) {
  std::uint64_t size = 0;
  for (const auto& piece : response.body) size += piece.size();
  bool may_have_body = response.status >= 200 && response.status != 204 && response.status != 304;
  HeadFraming framing;
  framing.keep_alive = keeps_alive();
  framing.minor_version = minor_version_;
  if (may_have_body) framing.content_length = size;
  pipe_->send(make_response_head(response.status, response.headers, framing, core_->date()));
  if (may_have_body && !is_head_request_)
    for (auto& piece : response.body) pipe_->send(std::move(piece));
  core_->note_answer(size);
  end_answer();
}

void ServerConnection::answer_stream(Response response) {
  bool with_body = !is_head_request_ && response.status != 204 && response.status != 304;
  HeadFraming framing;
  framing.minor_version = minor_version_;
  chunks_stream_ = minor_version_ >= 1;
  if (!chunks_stream_) request_keep_alive_ = request_keep_alive_ && !with_body;
  framing.keep_alive = keeps_alive();
  framing.chunked = chunks_stream_ && response.status != 204 && response.status != 304;
  pipe_->send(make_response_head(response.status, response.headers, framing, core_->date()));
  if (!with_body) {
    end_answer();
    return;
  }
  state_ = State::streaming;
  streamed_bytes_ = 0;
  state_since_ = now();
  send_soon();
  run_stream(shared_from_this(), std::move(response.stream));
}

void ServerConnection::end_answer() {
  upgrade_headers_ = Headers();
  send_soon();
  if (!keeps_alive()) {
    begin_closing();
    return;
  }
  state_ = State::head;
  state_since_ = now();
}

void ServerConnection::begin_closing() {
  state_ = State::closing;
  state_since_ = now();
  release_body();
  pipe_->finish();
  if (pipe_->is_open()) arm_timer();
}

void ServerConnection::refuse(FramingError error) {
  core_->count_rejected();
  if (error.status == 413) {
    std::string message =
        base::concat("Request entity too large: limit is ", core_->options().body_bytes_max);
    send_refusal(413, "application/json", make_status_json(413, "RequestEntityTooLarge", message));
    return;
  }
  send_refusal(error.status, "text/plain; charset=utf-8",
               base::concat(error.status, " ", reason_phrase(error.status), ": ", error.reason));
}

void ServerConnection::send_refusal(int status, std::string_view content_type,
                                    std::string_view body) {
  Headers headers;
  headers.add("Content-Type", std::string(content_type));
  HeadFraming framing;
  framing.keep_alive = false;
  framing.content_length = body.size();
  pipe_->send(make_response_head(status, headers, framing, core_->date()));
  if (!is_head_request_) pipe_->send(body);
  begin_closing();
}

// ---- streams

Detached ServerConnection::run_stream(std::shared_ptr<ServerConnection> self, StreamTask task) {
  {
    QueueWriter<ServerConnection> writer(self);
    auto body = task(writer);
    co_await body;
  }
  task = StreamTask();
  self->on_stream_end();
}

void ServerConnection::on_stream_end() {
  core_->note_answer(streamed_bytes_);
  if (state_ != State::streaming) return;
  if (chunks_stream_) pipe_->send(std::string_view("0\r\n\r\n"));
  end_answer();
  process_input();
}

void ServerConnection::abort_stream() {
  if (state_ == State::streaming) begin_closing();
}

bool ServerConnection::has_room() const { return pipe_->queued_bytes() < kOutputQueueBytesMax; }

base::Task<bool> ServerConnection::wait_sent() {
  if (!sent_) sent_ = std::make_unique<base::Notifier>();
  return sent_->wait(cancel_.token());
}

void ServerConnection::send_body_pieces(const std::vector<base::SharedBytes>& pieces) {
  std::size_t size = 0;
  for (const auto& piece : pieces) size += piece.size();
  if (size == 0) return;  // an empty chunk would end the body
  streamed_bytes_ += size;
  if (chunks_stream_) {
    char line[20];
    int length = std::snprintf(line, sizeof line, "%zx\r\n", size);
    pipe_->send(std::string_view(line, static_cast<std::size_t>(length)));
  }
  for (const auto& piece : pieces) pipe_->send(piece);
  if (chunks_stream_) pipe_->send(std::string_view("\r\n"));
  send_soon();
}

// ---- output and the end

void ServerConnection::send_soon() {
  if (flush_pending_ || !pipe_->is_open()) return;
  flush_pending_ = true;
  core_->flush_later(shared_from_this());
}

void ServerConnection::flush() {
  flush_pending_ = false;
  if (!pipe_->is_open()) return;
  pipe_->flush();
  if (pipe_->is_open() && pipe_->queued_bytes() > 0) arm_timer();
}

void ServerConnection::on_sent() {
  if (state_ == State::http2) http2_->on_sent();
  if (sent_ && has_room()) sent_->notify();
  if (upgraded_) {
    auto protocol = upgraded_;
    protocol->on_sent();
  }
  if (pipe_->is_open() && state_ == State::head && !pipe_->input().empty()) process_input();
  core_->note_change();
}

void ServerConnection::on_end_of_input() {
  input_ended_ = true;
  switch (state_) {
    case State::handshake:
    case State::head:
      if (pipe_->queued_bytes() > 0)
        begin_closing();
      else
        pipe_->close(base::Status::ok());
      break;
    case State::body: pipe_->close(base::unavailable("connection closed within a body")); break;
    case State::upgraded:
      if (upgraded_) {
        auto protocol = upgraded_;
        protocol->on_end();
      }
      cancel_.cancel();
      break;
    case State::http2: pipe_->close(base::unavailable("the client has closed")); break;
    default: cancel_.cancel();
  }
}

void ServerConnection::on_closed(base::Status) {
  bool was_upgraded = state_ == State::upgraded;
  state_ = State::closed;
  release_body();
  if (timer_ != 0) core_->loop().cancel_timer(timer_);
  timer_ = 0;
  auto keep = shared_from_this();
  core_->remove(*this, client_);
  if (http2_) http2_->close();
  if (was_upgraded && upgraded_) {
    auto protocol = upgraded_;
    protocol->on_end();
  }
  cancel_.cancel();
}

void ServerConnection::on_stop() {
  switch (state_) {
    case State::handshake:
    case State::head:
    case State::body: begin_closing(); break;
    case State::streaming:
    case State::upgraded: cancel_.cancel(); break;
    case State::http2: http2_->on_stop(); break;
    default: break;
  }
}

void ServerConnection::close_now(base::Status why) {
  cancel_.cancel();
  if (pipe_ && pipe_->is_open())
    pipe_->close(std::move(why));
  else if (state_ != State::closed)
    on_closed(std::move(why));
}

bool ServerConnection::is_peer_trusted() const {
  if (state_ == State::handshake) return true;
  const auto* tls = pipe_ ? pipe_->tls() : nullptr;
  return tls == nullptr || tls->is_peer_trusted(*core_->tls());
}

bool ServerConnection::is_quiet() const {
  if (state_ == State::http2) return http2_->is_quiet() && pipe_->queued_bytes() == 0;
  return state_ == State::closed || (state_ == State::closing && pipe_->queued_bytes() == 0);
}

// ---- deadlines

std::optional<base::MonotonicTime> ServerConnection::deadline() const {
  std::optional<base::MonotonicTime> due;
  switch (state_) {
    case State::handshake: due = state_since_ + kHeadTimeout; break;
    case State::head:
      due = state_since_ +
            (head_begun_ ? base::Duration(kHeadTimeout) : base::Duration(kIdleTimeout));
      break;
    case State::body:
      due = std::min(input_since_ + kBodyStallTimeout, state_since_ + kBodyTimeout);
      break;
    case State::handling:
      if (!handler_timed_out_) due = state_since_ + kHandlerTimeout;
      break;
    case State::closing:
      if (pipe_->queued_bytes() == 0) due = state_since_ + kLingerTimeout;
      break;
    case State::http2: due = http2_->deadline(); break;
    default: break;
  }
  if (pipe_->queued_bytes() > 0) {
    auto stall = pipe_->last_progress() + kWriteStallTimeout;
    if (!due || stall < *due) due = stall;
  }
  return due;
}

// An armed timer only ever fires early: it is not moved when the deadline moves away.
void ServerConnection::arm_timer() {
  auto due = deadline();
  if (!due || (timer_ != 0 && timer_due_ <= *due)) return;
  if (timer_ != 0) core_->loop().cancel_timer(timer_);
  timer_due_ = *due;
  timer_ = core_->loop().start_timer(*due - now(), [this] {
    timer_ = 0;
    auto keep = shared_from_this();
    on_timer();
  });
}

void ServerConnection::on_timer() {
  if (!pipe_->is_open()) return;
  auto due = deadline();
  if (!due || now() < *due) {
    arm_timer();
    return;
  }
  bool output_stalls =
      pipe_->queued_bytes() > 0 && pipe_->last_progress() + kWriteStallTimeout <= now();
  if (output_stalls) {
    core_->count_rejected();
    stalled_ = true;
    close_now(base::Status(base::Code::deadline_exceeded, "the reader is too slow"));
    return;
  }
  switch (state_) {
    case State::handling:
      handler_timed_out_ = true;
      cancel_.cancel();
      arm_timer();
      return;
    case State::head:
      if (head_begun_) {
        refuse({408, "the request head took too long"});
        return;
      }
      begin_closing();
      return;
    case State::body: refuse({408, "the request body took too long"}); return;
    case State::http2:
      http2_->on_deadline();
      if (pipe_->is_open()) arm_timer();
      return;
    case State::handshake: core_->count_rejected(); [[fallthrough]];
    default: close_now(base::Status(base::Code::deadline_exceeded, "timed out"));
  }
}

}  // namespace skiff::http
