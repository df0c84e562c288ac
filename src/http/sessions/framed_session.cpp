// The session of an extended CONNECT: frames as http2.h has them.
#include <skiff/http/session_closer.h>

#include "http/limits.h"
#include "http/sessions/channel_session.h"

namespace skiff::http {

namespace {

constexpr std::size_t kPrefixBytes = 4;         // length of what follows
constexpr std::size_t kFrameHeadBytes = 1 + 4;  // kind, channel
enum class Kind : std::uint8_t { data = 0, close_channel = 1, open_channel = 2, reset_channel = 3 };

void put_number(std::string& out, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(number >> shift));
}

std::uint32_t number_at(std::string_view bytes) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

class FramedSession final : public SessionBase {
 public:
  using SessionBase::SessionBase;

  base::Result<std::size_t> on_input(std::string_view input) override {
    std::size_t used = 0;
    while (!inbox_is_full() && input.size() - used >= kPrefixBytes) {
      std::string_view rest = input.substr(used);
      std::uint32_t size = number_at(rest);
      if (size < kFrameHeadBytes || size > kFrameHeadBytes + kFramedDataBytesMax)
        return base::invalid_argument("a frame of a size that is not allowed");
      if (rest.size() < kPrefixBytes + size) break;
      take(rest.substr(kPrefixBytes, size));
      used += kPrefixBytes + size;
    }
    return used;
  }
  // The stream below says goodbye.
  void finish() override {}

 private:
  void take(std::string_view body) {
    auto kind = static_cast<Kind>(body[0]);
    ChannelFrame frame;
    switch (kind) {
      case Kind::data: frame.kind = ChannelFrame::Kind::data; break;
      case Kind::close_channel: frame.kind = ChannelFrame::Kind::close_channel; break;
      case Kind::open_channel: frame.kind = ChannelFrame::Kind::open_channel; break;
      case Kind::reset_channel: frame.kind = ChannelFrame::Kind::reset_channel; break;
      default: return;  // of a later version: not for us
    }
    frame.channel = number_at(body.substr(1));
    frame.data = body.substr(kFrameHeadBytes);
    deliver(std::move(frame));
  }

  base::Status send_frame(const ChannelFrame& frame) override {
    if (frame.data.size() > kFramedDataBytesMax)
      return base::Status(base::Code::too_large, "a frame that is too large");
    std::string text;
    text.reserve(kPrefixBytes + kFrameHeadBytes + frame.data.size());
    put_number(text, static_cast<std::uint32_t>(kFrameHeadBytes + frame.data.size()));
    auto kind = Kind::data;
    if (frame.kind == ChannelFrame::Kind::close_channel) kind = Kind::close_channel;
    if (frame.kind == ChannelFrame::Kind::open_channel) kind = Kind::open_channel;
    if (frame.kind == ChannelFrame::Kind::reset_channel) kind = Kind::reset_channel;
    text.push_back(static_cast<char>(kind));
    put_number(text, frame.channel);
    text += frame.data;
    transport().send(text);
    return base::Status::ok();
  }
  void on_taken(const ChannelFrame&) override {}
};

}  // namespace

std::unique_ptr<UpgradedSession> make_framed_session(std::unique_ptr<SessionTransport> transport,
                                                     std::string protocol) {
  return std::make_unique<FramedSession>(std::move(transport), std::move(protocol));
}

}  // namespace skiff::http
