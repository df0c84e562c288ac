// What the two ends of a node's sessions say to each other. The first two bytes are kind and
// channel. What is understood can be said again.
#include <skiff/client/node_protocol.h>

#include <cstddef>
#include <cstdint>
#include <string>

using namespace skiff;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  http::ChannelFrame frame;
  frame.kind = static_cast<http::ChannelFrame::Kind>(data[0] % 4);
  frame.channel = data[1];
  frame.data.assign(reinterpret_cast<const char*>(data + 2), size - 2);
  if (auto message = client::parse_control(frame)) {
    if (auto again = client::encode_control(*message)) {
      auto parsed = client::parse_control(*again);
      SKIFF_ASSERT(parsed.is_ok() && parsed->index() == message->index());
    }
  }
  auto message = client::parse_stream(frame);
  if (!message) return 0;
  if (auto* head = std::get_if<client::StreamHead>(&*message))
    SKIFF_ASSERT(client::parse_stream(client::encode_head(head->status)).is_ok());
  if (auto* tail = std::get_if<client::StreamTail>(&*message))
    SKIFF_ASSERT(client::parse_stream(client::encode_tail(tail->status)).is_ok());
  if (auto* one = std::get_if<client::NodeFrame>(&*message)) {
    auto frames = client::encode_frames(std::move(*one));
    SKIFF_ASSERT(frames.size() == 1 && frames[0].data == frame.data);
  }
  return 0;
}
