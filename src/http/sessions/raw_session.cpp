// The session of a protocol that this server does not know: what it does is between its ends.
#include "http/sessions/channel_session.h"

namespace skiff::http {

namespace {

class RawSession final : public SessionBase {
 public:
  using SessionBase::SessionBase;

  base::Result<std::size_t> on_input(std::string_view input) override {
    if (input.empty() || inbox_is_full()) return std::size_t{0};
    ChannelFrame frame;
    frame.data = input;
    deliver(std::move(frame));
    return input.size();
  }
  // There is no goodbye but the end of the connection.
  void finish() override {}

 private:
  base::Status send_frame(const ChannelFrame& frame) override {
    transport().send(frame.data);
    return base::Status::ok();
  }
  void on_taken(const ChannelFrame&) override {}
};

}  // namespace

std::unique_ptr<UpgradedSession> make_raw_session(std::unique_ptr<SessionTransport> transport) {
  return std::make_unique<RawSession>(std::move(transport), std::string());
}

}  // namespace skiff::http
