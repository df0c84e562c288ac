#include "client/uplink/stream_carrier.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/http/session_closer.h>

#include "client/limits.h"

#include <utility>

namespace skiff::client {

namespace {

using SessionPtr = std::shared_ptr<http::ChannelSession>;
using StreamPtr = std::shared_ptr<NodeStream>;

base::Task<base::Result<std::unique_ptr<NodeStream>>> open_local(const CarrierContext& context,
                                                                 OpenStream open,
                                                                 base::CancelToken cancel) {
  if (!open.is_known)
    co_return base::Status(base::Code::unimplemented,
                           "the node does not serve streams of this kind");
  if (context.local == nullptr) co_return base::unavailable("the node's agent is not running");
  open.request.cancel = std::move(cancel);
  auto opening = context.local->open(context.node_name, std::move(open.request));
  auto stream = co_await std::move(opening);
  co_return std::move(stream);
}

// From the master to the stream, until the master ends the session.
base::Task<void> carry_input(SessionPtr session, StreamPtr stream) {
  for (;;) {
    auto reading = session->read();
    auto frame = co_await std::move(reading);
    if (!frame || !*frame) break;
    auto message = parse_stream(std::move(**frame));
    if (!message) break;
    auto* input = std::get_if<NodeFrame>(&*message);
    // A head or tail of the master's says nothing to us.
    if (input == nullptr || stream == nullptr) continue;
    auto writing = stream->write(std::move(*input));
    // A stream that takes nothing any more may still have something to say.
    (void)co_await std::move(writing);
  }
  if (stream != nullptr) stream->close();
}

// From the stream to the master. Returns how the stream ended; nullopt when the master is gone.
base::Task<std::optional<base::Status>> carry_output(SessionPtr session, StreamPtr stream) {
  for (;;) {
    auto reading = stream->read();
    auto frame = co_await std::move(reading);
    if (!frame) co_return frame.status();
    if (!*frame) co_return base::Status::ok();
    auto pieces = encode_frames(std::move(**frame));
    for (auto& piece : pieces) {
      auto writing = session->write(std::move(piece));
      auto written = co_await std::move(writing);
      if (!written.is_ok()) co_return std::nullopt;
    }
  }
}

base::Task<bool> send(SessionPtr session, http::ChannelFrame frame) {
  auto writing = session->write(std::move(frame));
  auto written = co_await std::move(writing);
  co_return written.is_ok();
}

base::Task<void> carry(const CarrierContext& context, SessionPtr session, StreamPtr stream,
                       base::Status opened, base::CancelToken cancel) {
  http::SessionCloser closer(*session);
  base::CancelCallback on_cancel(cancel, closer.function());
  // Input that the stream does not take must not hide that the master is gone.
  auto close_stream = [stream] {
    if (stream != nullptr) stream->close();
  };
  base::CancelCallback on_unwanted(cancel, close_stream);
  base::CancelCallback on_gone(session->cancel(), close_stream);
  base::TaskScope scope(context.loop);
  scope.spawn(carry_input(session, stream));
  auto head = send(session, encode_head(opened));
  bool alive = co_await std::move(head);
  if (alive && stream != nullptr) {
    auto output = carry_output(session, stream);
    auto ended = co_await std::move(output);
    if (ended) {
      auto tail = send(session, encode_tail(*ended));
      (void)co_await std::move(tail);
    }
  }
  // The master ends the session when it has read everything: what is queued here would be lost.
  auto joining = scope.join();
  co_await std::move(joining);
}

}  // namespace

base::Status readable_refusal(const base::Status& refusal) {
  auto text = refusal.message();
  auto brace = text.find('{');
  if (brace == text.npos) return refusal;
  auto tree = codec::parse_json(text.substr(brace));
  if (!tree || !tree->is_object()) return refusal;
  auto message = std::as_const(*tree)["message"].as_string();
  return message.empty() ? refusal : base::Status(refusal.code(), std::string(message));
}

base::Task<void> carry_stream(const CarrierContext& context, OpenStream open,
                              base::CancelToken cancel) {
  const std::string id = open.id;
  auto opening = open_local(context, std::move(open), cancel);
  auto opened = co_await std::move(opening);
  base::Status status = opened.status();
  StreamPtr stream;
  if (opened) stream = std::move(*opened);
  if (cancel.is_cancelled()) co_return;
  http::Http2Request request;
  request.target = base::concat(kStreamSessionPrefix, id);
  request.timeout = kStreamSessionTimeout;
  request.cancel = cancel;
  auto asking =
      context.connection.open_session(std::string(kStreamSessionProtocol), std::move(request));
  auto session = co_await std::move(asking);
  if (!session) {
    base::log_debug("the master did not take a stream",
                    {{"error", readable_refusal(session.status())}});
    co_return;
  }
  auto carrying =
      carry(context, SessionPtr(std::move(*session)), std::move(stream), std::move(status), cancel);
  co_await std::move(carrying);
}

}  // namespace skiff::client
