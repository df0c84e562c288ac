#include "http/http2/server.h"

#include "http/limits.h"
#include "http/server_connection.h"

#include <algorithm>

namespace skiff::http {

namespace {

Http2Settings server_settings(const ServerOptions& options) {
  Http2Settings settings;
  settings.streams_max = kHttp2StreamsMax;
  settings.stream_window_bytes = kHttp2StreamWindowBytes;
  settings.connection_window_bytes = kHttp2ConnectionWindowBytes;
  settings.header_list_bytes_max = static_cast<std::uint32_t>(options.head_bytes_max);
  settings.takes_extended_connect = true;
  return settings;
}

}  // namespace

Http2Server::Http2Server(ServerConnection& connection)
    : connection_(connection),
      engine_(Http2Engine::Side::server, server_settings(connection.core().options()), *this),
      last_input_(connection.now()),
      idle_since_(connection.now()) {
  pump();
}

Http2Server::~Http2Server() = default;

void Http2Server::on_input() {
  auto& pipe = connection_.pipe();
  last_input_ = connection_.now();
  auto status = engine_.receive(pipe.input());
  if (closed_) return;
  pipe.consume(pipe.input().size());
  pump();
  if (closed_ || status.is_ok()) return;
  connection_.core().count_rejected();
  connection_.begin_closing();
}

void Http2Server::pump() {
  if (pumping_ || closed_) return;
  pumping_ = true;
  auto& pipe = connection_.pipe();
  bool sent = false;
  while (pipe.is_open() && pipe.queued_bytes() < kHttp2OutputBytesMax) {
    auto bytes = engine_.take_output();
    if (bytes.empty()) break;
    pipe.send(std::move(bytes));
    sent = true;
  }
  pumping_ = false;
  if (sent) connection_.send_soon();
  if (engine_.stream_count() > 0) idle_since_ = connection_.now();
  if (engine_.is_over() && pipe.is_open()) connection_.begin_closing();
}

std::shared_ptr<Http2Stream> Http2Server::on_stream(std::int32_t) {
  if (stopping_ || handlers_ >= kHttp2HandlersMax) return nullptr;
  deadline_begins();
  return std::make_shared<Http2ServerStream>(connection_.shared_from_this(), *this);
}

void Http2Server::on_stop() {
  stopping_ = true;
  engine_.go_away();
  for (const auto& [id, stream] : engine_.streams()) {
    auto& own = static_cast<Http2ServerStream&>(*stream);
    if (own.is_answering()) own.cancel();
  }
  pump();
}

void Http2Server::close() {
  if (closed_) return;
  closed_ = true;
  auto streams = engine_.streams();
  // They hold the connection.
  engine_.forget_streams();
  for (auto& [id, stream] : streams) stream->on_closed(Http2Error::cancel);
}

bool Http2Server::is_quiet() const { return engine_.stream_count() == 0 && handlers_ == 0; }

// ---- deadlines

void Http2Server::deadline_begins() {
  if (watches_deadlines_) return;
  watches_deadlines_ = true;
  check_due_ = connection_.now() + kHttp2CheckInterval;
  connection_.arm_timer();
}

std::optional<base::MonotonicTime> Http2Server::deadline() const {
  base::MonotonicTime due;
  if (ping_sent_)
    due = *ping_sent_ + kHttp2PingTimeout;
  else if (engine_.stream_count() > 0)
    due = last_input_ + kHttp2PingAfter;
  else
    due = std::max(idle_since_, last_input_) + kIdleTimeout;
  return watches_deadlines_ ? std::min(due, check_due_) : due;
}

void Http2Server::on_deadline() {
  auto now = connection_.now();
  if (watches_deadlines_ && check_due_ <= now) {
    bool goes_on = false;
    auto streams = engine_.streams();
    for (auto& [id, stream] : streams) {
      auto& own = static_cast<Http2ServerStream&>(*stream);
      own.check_deadlines(now);
      goes_on = goes_on || own.has_deadline();
    }
    watches_deadlines_ = goes_on;
    check_due_ = now + kHttp2CheckInterval;
    pump();
    if (closed_) return;
  }
  if (ping_sent_ && *ping_sent_ + kHttp2PingTimeout <= now) {
    connection_.close_now(base::Status(base::Code::deadline_exceeded, "no answer to a ping"));
  } else if (!ping_sent_ && engine_.stream_count() > 0 && last_input_ + kHttp2PingAfter <= now) {
    ping_sent_ = now;
    engine_.ping();
    pump();
  } else if (engine_.stream_count() == 0 &&
             std::max(idle_since_, last_input_) + kIdleTimeout <= now) {
    engine_.go_away();
    pump();
    if (!closed_) connection_.begin_closing();
  }
}

}  // namespace skiff::http
