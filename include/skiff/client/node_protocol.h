// What a master and a node say to each other on the node's sessions. Pure.
//
// skiff-node-v1, one per connection: every frame is data, its channel says what it is. The node
// begins with hello, the master answers with its own; then the node sends heartbeats, which the
// master answers, and the master asks for streams. What a side does not know it ignores.
//
// skiff-stream-v1, one per stream, opened by the node under the id that the master gave: first the
// head (open_channel), then frames of the NodeStream both ways (data; close_channel where it is the
// last of its channel), then from the node the tail (reset_channel). A stream that ends without a
// tail has broken off.
#pragma once

#include <skiff/client/node_channel.h>
#include <skiff/http/message.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace skiff::client {

inline constexpr std::string_view kNodeSessionProtocol = "skiff-node-v1";
inline constexpr std::string_view kNodeSessionPath = "/skiff/v1/node";
inline constexpr std::string_view kStreamSessionProtocol = "skiff-stream-v1";
inline constexpr std::string_view kStreamSessionPrefix = "/skiff/v1/streams/";  // and the id
// Of the request for skiff-node-v1: for which node it speaks.
inline constexpr std::string_view kNodeNameHeader = "skiff-node-name";

// Features of a hello.
inline constexpr std::string_view kFeatureStreams = "streams";
// The master renews the node's lease with each heartbeat.
inline constexpr std::string_view kFeatureLease = "lease";

struct Hello {
  std::string version;
  std::vector<std::string> features;
  bool has(std::string_view feature) const;
};
struct Heartbeat {
  std::uint64_t sequence = 0;
};
struct HeartbeatAnswer {
  std::uint64_t sequence = 0;
};
struct OpenStream {
  std::string id;  // hexadecimal
  NodeRequest request;
  bool is_known = true;  // false: of a kind that this side does not know; it is refused
};
// The stream, or its opening, is not wanted any more.
struct CancelStream {
  std::string id;
};
// The last frame of the master, with the reason.
struct Goodbye {
  base::Status why;
};
// From the master: its cluster trusts other authorities, the node is to ask for its certificates.
struct AuthoritiesChanged {};
struct UnknownMessage {};
using ControlMessage = std::variant<UnknownMessage, Hello, Heartbeat, HeartbeatAnswer, OpenStream,
                                    CancelStream, Goodbye, AuthoritiesChanged>;

// Errors of encode_control: too_large for an OpenStream that a node would not take.
base::Result<http::ChannelFrame> encode_control(const ControlMessage& message);
base::Result<ControlMessage> parse_control(const http::ChannelFrame& frame);

// The answer to the opening: ok, or what kubectl prints.
struct StreamHead {
  base::Status status;
};
// ok, or why the stream broke off at the node.
struct StreamTail {
  base::Status status;
};
using StreamMessage = std::variant<StreamHead, NodeFrame, StreamTail>;

http::ChannelFrame encode_head(const base::Status& status);
http::ChannelFrame encode_tail(const base::Status& status);
// More than one when the data is large.
std::vector<http::ChannelFrame> encode_frames(NodeFrame frame);
base::Result<StreamMessage> parse_stream(http::ChannelFrame frame);

// Ids as the master makes them; anything else has no place in a target.
bool is_stream_id(std::string_view id);

}  // namespace skiff::client
