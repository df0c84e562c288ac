#include "apiserver/streams/channel_frames.h"

namespace skiff::apiserver {

base::Task<bool> send_frame(http::ChannelSession& session, http::ChannelFrame::Kind kind,
                            std::uint32_t channel, std::string data) {
  http::ChannelFrame frame;
  frame.kind = kind;
  frame.channel = channel;
  frame.data = std::move(data);
  auto writing = session.write(std::move(frame));
  auto status = co_await std::move(writing);
  co_return status.is_ok();
}

}  // namespace skiff::apiserver
