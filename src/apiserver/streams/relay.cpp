#include "apiserver/streams/relay.h"

#include <skiff/api/errors.h>

#include "apiserver/streams/channel_frames.h"

namespace skiff::apiserver {

namespace {

using Kind = http::ChannelFrame::Kind;
constexpr std::uint32_t kError = 3;

// What the client sends, to the node. Ends when the client closes or the node is gone.
base::Task<void> forward_input(std::shared_ptr<client::NodeStream> node,
                               http::ChannelSession& session) {
  for (;;) {
    auto reading = session.read();
    auto frame = co_await std::move(reading);
    if (!frame.is_ok() || !*frame) break;
    http::ChannelFrame& got = **frame;
    if (got.kind == Kind::open_channel) continue;
    client::NodeFrame out;
    out.channel = got.channel;
    out.data = std::move(got.data);
    out.end = got.kind == Kind::close_channel || got.kind == Kind::reset_channel;
    auto writing = node->write(std::move(out));
    auto status = co_await std::move(writing);
    if (!status.is_ok()) break;
  }
  // Nobody listens any more; a client that only half-closes says so by close_channel.
  node->close();
}

// What a client may read on the error channel: a Status, or of clients that know none its words.
std::string error_text(const http::ChannelSession& session, std::string status) {
  if (session.protocol().substr(0, 1) == "v") return status;
  auto parsed = codec::parse_json(status);
  if (!parsed) return status;
  const codec::Json& tree = *parsed;
  if (tree["status"].as_string() == "Success") return {};
  return std::string(tree["message"].as_string());
}

// The last word on the error channel: clients take silence for success.
base::Task<void> tell_broken(http::ChannelSession& session, base::Status why) {
  auto status =
      error_text(session, codec::write_json(api::internal_api_error(why.message()).to_json()));
  auto sending = send_frame(session, Kind::data, kError, std::move(status));
  bool alive = co_await std::move(sending);
  if (!alive) co_return;
  auto closing = send_frame(session, Kind::close_channel, kError, {});
  (void)co_await std::move(closing);
}

base::Task<void> forward_output(std::shared_ptr<client::NodeStream> node,
                                http::ChannelSession& session) {
  for (;;) {
    auto reading = node->read();
    auto frame = co_await std::move(reading);
    if (!frame.is_ok()) {
      auto telling = tell_broken(session, frame.status());
      co_await std::move(telling);
      co_return;
    }
    if (!*frame) co_return;
    client::NodeFrame& got = **frame;
    const auto channel = got.channel;
    const bool end = got.end;
    if (channel == kError) got.data = error_text(session, std::move(got.data));
    if (!got.data.empty()) {
      auto sending = send_frame(session, Kind::data, channel, std::move(got.data));
      bool alive = co_await std::move(sending);
      if (!alive) co_return;
    }
    if (!end) continue;
    auto closing = send_frame(session, Kind::close_channel, channel, {});
    bool alive = co_await std::move(closing);
    if (!alive) co_return;
  }
}

}  // namespace

base::Task<void> relay_channels(std::shared_ptr<client::NodeStream> node,
                                http::ChannelSession& session) {
  base::TaskScope scope(*base::Executor::current());
  base::CancelCallback on_gone(session.cancel(), [node] { node->close(); });
  scope.spawn(forward_input(node, session));
  auto output = forward_output(node, session);
  co_await std::move(output);
  node->close();
  session.close();
  auto joining = scope.join();
  co_await std::move(joining);
}

}  // namespace skiff::apiserver
