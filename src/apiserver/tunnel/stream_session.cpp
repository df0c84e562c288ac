// skiff-stream-v1 from the master's side.
#include <skiff/base/strings.h>
#include <skiff/http/session_closer.h>

#include "apiserver/tunnel/tunnels.h"

#include <utility>

namespace skiff::apiserver {

namespace {

base::Status broken(const NodeLink& link) {
  return base::unavailable(
      base::concat("the connection to node ", base::quote(link.node()), " was lost"));
}

// The next message of the node; the end of the session is an error.
base::Task<base::Result<client::StreamMessage>> receive(const NodeLink& link,
                                                        http::ChannelSession& session) {
  auto reading = session.read();
  auto frame = co_await std::move(reading);
  if (!frame || !*frame) co_return broken(link);
  co_return client::parse_stream(std::move(**frame));
}

// What the caller writes, to the node.
base::Task<void> forward_input(client::StreamSessionPtr stream, http::ChannelSession& session) {
  for (;;) {
    auto reading = stream->to_agent.read(stream->cancel.token());
    auto frame = co_await std::move(reading);
    if (!frame || !*frame) co_return;
    auto pieces = client::encode_frames(std::move(**frame));
    for (auto& piece : pieces) {
      auto writing = session.write(std::move(piece));
      auto written = co_await std::move(writing);
      if (!written.is_ok()) co_return;
    }
  }
}

// What the node sends, to the caller. Returns how the stream ended; nullopt when the caller has
// gone.
base::Task<std::optional<base::Status>> forward_output(NodeLinkPtr link,
                                                       client::StreamSessionPtr stream,
                                                       http::ChannelSession& session) {
  for (;;) {
    auto receiving = receive(*link, session);
    auto message = co_await std::move(receiving);
    if (!message) co_return message.status();
    if (auto* tail = std::get_if<client::StreamTail>(&*message)) co_return std::move(tail->status);
    auto* frame = std::get_if<client::NodeFrame>(&*message);
    if (frame == nullptr) continue;
    auto writing = stream->to_caller.write(std::move(*frame), stream->cancel.token());
    auto written = co_await std::move(writing);
    if (!written.is_ok()) co_return std::nullopt;
  }
}

base::Task<base::Status> read_head(NodeLinkPtr link, http::ChannelSession& session) {
  auto receiving = receive(*link, session);
  auto message = co_await std::move(receiving);
  if (!message) co_return message.status();
  auto* head = std::get_if<client::StreamHead>(&*message);
  if (head == nullptr) co_return base::internal_error("the node's answer has no head");
  co_return std::move(head->status);
}

}  // namespace

Tunnels::Claim::~Claim() {
  if (stream_ == nullptr) return;
  stream_->opened.set(broken(*link_));
  link_->give_up(stream_, true);
}

base::Task<void> Tunnels::Claim::serve(http::ChannelSession& session) {
  auto link = std::move(link_);
  auto held = std::move(stream_);
  auto stream = held->session;
  {
    http::SessionCloser closer(session);
    base::CancelCallback on_gone(stream->cancel.token(), closer.function());
    auto heading = read_head(link, session);
    auto status = co_await std::move(heading);
    const bool goes_on = status.is_ok();
    // False when the caller has given up meanwhile.
    const bool is_awaited = held->opened.set(std::move(status));
    if (goes_on && is_awaited) {
      base::TaskScope scope(*base::Executor::current());
      scope.spawn(forward_input(stream, session));
      auto output = forward_output(link, stream, session);
      auto ended = co_await std::move(output);
      stream->to_caller.close(ended ? *ended : base::Status());
      stream->to_agent.close();
      session.close();
      auto joining = scope.join();
      co_await std::move(joining);
    }
    session.close();
  }
  // What the caller leaves behind may keep the end of the session from the node for ever.
  link->give_up(held, stream->cancel.is_cancelled());
}

}  // namespace skiff::apiserver
