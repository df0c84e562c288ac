#include "apiserver/streams/port_relay.h"

#include <skiff/base/strings.h>

#include <map>

#include "apiserver/limits.h"
#include "apiserver/streams/channel_frames.h"

namespace skiff::apiserver {

namespace {

using Kind = http::ChannelFrame::Kind;
// The node's side of one connection.
constexpr std::uint32_t kData = 0;
constexpr std::uint32_t kError = 1;

// One connection of the client.
struct Connection {
  std::uint32_t data_stream = 0;  // the session's channels; 0 = not opened yet
  std::uint32_t error_stream = 0;
  bool opened = false;
  std::shared_ptr<client::NodeStream> node;  // null until it is open
};

struct Relay {
  OpenPort open;
  http::ChannelSession& session;
  base::TaskScope scope;
  std::map<std::string, std::shared_ptr<Connection>> connections;  // by requestID
  std::map<std::uint32_t, std::shared_ptr<Connection>> by_stream;

  Relay(OpenPort o, http::ChannelSession& s)
      : open(std::move(o)), session(s), scope(*base::Executor::current()) {}
};

base::Task<void> end_connection(Relay& relay, std::shared_ptr<Connection> connection) {
  for (auto stream : {connection->data_stream, connection->error_stream}) {
    auto closing = send_frame(relay.session, Kind::close_channel, stream, {});
    (void)co_await std::move(closing);
    relay.by_stream.erase(stream);
  }
  std::erase_if(relay.connections, [&](const auto& entry) { return entry.second == connection; });
}

// What the node sends on one connection, to the client.
base::Task<void> forward_output(Relay& relay, std::shared_ptr<Connection> connection) {
  auto node = connection->node;
  for (;;) {
    auto reading = node->read();
    auto frame = co_await std::move(reading);
    if (!frame.is_ok()) {
      auto telling = send_frame(relay.session, Kind::data, connection->error_stream,
                                std::string(frame.status().message()));
      (void)co_await std::move(telling);
    }
    if (!frame.is_ok() || !*frame) break;
    client::NodeFrame& got = **frame;
    const auto stream = got.channel == kError ? connection->error_stream : connection->data_stream;
    const bool data_ends = got.end && got.channel == kData;
    if (!got.data.empty()) {
      auto sending = send_frame(relay.session, Kind::data, stream, std::move(got.data));
      bool alive = co_await std::move(sending);
      if (!alive) break;
    }
    if (data_ends) break;
  }
  node->close();
  auto ending = end_connection(relay, connection);
  co_await std::move(ending);
}

base::Task<void> refuse(Relay& relay, std::shared_ptr<Connection> connection, std::string why) {
  auto sending = send_frame(relay.session, Kind::data, connection->error_stream, std::move(why));
  (void)co_await std::move(sending);
  auto ending = end_connection(relay, connection);
  co_await std::move(ending);
}

base::Task<void> take_stream(Relay& relay, http::ChannelFrame frame) {
  auto type = frame.headers.get("streamType");
  auto port = base::parse_int(frame.headers.get("port"));
  std::string request(frame.headers.get("requestID"));
  const bool valid = (type == "data" || type == "error") && port && *port > 0 && *port < 65536;
  auto found = relay.connections.find(request);
  const bool room = relay.connections.size() < kForwardedConnectionsMax;
  if (!valid || (found == relay.connections.end() && !room)) {
    auto resetting = send_frame(relay.session, Kind::reset_channel, frame.channel, {});
    (void)co_await std::move(resetting);
    co_return;
  }
  if (found == relay.connections.end()) {
    found = relay.connections.emplace(std::move(request), std::make_shared<Connection>()).first;
  }
  auto connection = found->second;
  (type == "data" ? connection->data_stream : connection->error_stream) = frame.channel;
  relay.by_stream[frame.channel] = connection;
  if (connection->data_stream == 0 || connection->error_stream == 0 || connection->opened) {
    co_return;
  }
  connection->opened = true;
  auto opening = relay.open(static_cast<std::uint16_t>(*port));
  auto node = co_await std::move(opening);
  if (!node.is_ok()) {
    auto refusing =
        refuse(relay, connection,
               base::concat("error forwarding port ", *port, ": ", node.status().message()));
    co_await std::move(refusing);
    co_return;
  }
  connection->node = std::shared_ptr<client::NodeStream>(std::move(*node));
  relay.scope.spawn(forward_output(relay, connection));
}

base::Task<void> take_data(Relay& relay, http::ChannelFrame frame) {
  auto found = relay.by_stream.find(frame.channel);
  if (found == relay.by_stream.end()) co_return;
  auto connection = found->second;
  // The client never writes to an error stream; it closes its side of it at once.
  if (connection->node == nullptr || frame.channel != connection->data_stream) co_return;
  client::NodeFrame out;
  out.channel = kData;
  out.data = std::move(frame.data);
  out.end = frame.kind != Kind::data;
  auto writing = connection->node->write(std::move(out));
  (void)co_await std::move(writing);
}

}  // namespace

base::Task<void> relay_ports(OpenPort open, http::ChannelSession& session) {
  Relay relay(std::move(open), session);
  for (;;) {
    auto reading = session.read();
    auto frame = co_await std::move(reading);
    if (!frame.is_ok() || !*frame) break;
    auto taking = (*frame)->kind == Kind::open_channel ? take_stream(relay, std::move(**frame))
                                                       : take_data(relay, std::move(**frame));
    co_await std::move(taking);
  }
  for (auto& entry : relay.connections) {
    if (entry.second->node != nullptr) entry.second->node->close();
  }
  session.close();
  auto joining = relay.scope.join();
  co_await std::move(joining);
}

}  // namespace skiff::apiserver
