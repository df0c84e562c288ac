#include "http/limits.h"
#include "http/sessions/channel_session.h"
#include "http/sessions/websocket_codec.h"

#include <openssl/evp.h>

namespace skiff::http {

namespace {

constexpr std::uint32_t kCloseSignal = 255;  // v5.channel.k8s.io
constexpr std::string_view kWithCloseSignal = "v5.channel.k8s.io";

// How a subprotocol puts bytes of channels into messages.
struct MessageForm {
  bool has_close_signal;  // see kCloseSignal
  bool has_channels;      // one byte before the data, else the messages are one stream
  bool is_base64;         // texts: the channel is a digit, the data base64
};

MessageForm form_of(std::string_view protocol) {
  return {protocol == kWithCloseSignal,
          protocol.size() < 13 || protocol.substr(protocol.size() - 13) != "binary.k8s.io",
          protocol.find("base64.") != std::string_view::npos};
}

std::string to_base64(std::string_view data) {
  std::string out(4 * ((data.size() + 2) / 3) + 1, '\0');
  int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                             reinterpret_cast<const unsigned char*>(data.data()),
                             static_cast<int>(data.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

// Empty for what is none.
std::string from_base64(std::string_view text) {
  std::string out(text.size() / 4 * 3 + 3, '\0');
  int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                             reinterpret_cast<const unsigned char*>(text.data()),
                             static_cast<int>(text.size()));
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  out.resize(size < 0 ? 0 : static_cast<std::size_t>(size) - padding);
  return out;
}

// Reads messages, answers pings and closes; shared by channels and tunnels. Loop-only.
class WebSocketMessages {
 public:
  explicit WebSocketMessages(SessionTransport& transport) : transport_(transport) {}

  enum class Next : unsigned char { need_more, message, ended };
  Next next(std::string_view& input) {
    for (;;) {
      switch (reader_.next(input)) {
        case WebSocketReader::Event::need_more: return Next::need_more;
        case WebSocketReader::Event::message: return Next::message;
        case WebSocketReader::Event::pong: reader_.take_payload(); break;
        case WebSocketReader::Event::ping: {
          std::string payload = reader_.take_payload();
          send(WebSocketOpcode::pong, payload);
          break;
        }
        case WebSocketReader::Event::close:
        case WebSocketReader::Event::error: close(reader_.close_code()); return Next::ended;
      }
    }
  }
  std::string take_message() { return reader_.take_payload(); }

  void send(WebSocketOpcode opcode, std::string_view payload) {
    if (closed_) return;
    // A peer that pings without reading must not fill our memory.
    if (opcode == WebSocketOpcode::pong && transport_.queued_bytes() >= kOutputQueueBytesMax)
      return;
    std::string frame = websocket_frame_header(opcode, payload.size());
    frame += payload;
    transport_.send(frame);
  }
  void close(std::uint16_t code) {
    if (closed_) return;
    closed_ = true;
    transport_.send(websocket_close_frame(code));
  }
  bool is_closed() const { return closed_; }

 private:
  SessionTransport& transport_;
  WebSocketReader reader_;
  bool closed_ = false;
};

class WebSocketSession final : public SessionBase {
 public:
  WebSocketSession(std::unique_ptr<SessionTransport> transport, std::string protocol)
      : SessionBase(std::move(transport), std::move(protocol)),
        messages_(this->transport()),
        form_(form_of(this->protocol())) {}

  base::Result<std::size_t> on_input(std::string_view input) override {
    std::size_t size = input.size();
    while (!inbox_is_full()) {
      auto next = messages_.next(input);
      if (next == WebSocketMessages::Next::ended) {
        end_input();
        return size;
      }
      if (next == WebSocketMessages::Next::need_more) break;
      take(messages_.take_message());
    }
    return size - input.size();
  }

  void finish() override {
    messages_.close(cancel().is_cancelled() ? kWebSocketGoingAway : kWebSocketNormal);
  }

 private:
  void take(std::string message) {
    if (message.empty() || !form_.has_channels) return;  // such a stream is for reading only
    ChannelFrame frame;
    frame.channel = static_cast<unsigned char>(message[0]) - (form_.is_base64 ? '0' : 0);
    if (form_.has_close_signal && frame.channel == kCloseSignal) {
      if (message.size() != 2) return;
      frame.kind = ChannelFrame::Kind::close_channel;
      frame.channel = static_cast<unsigned char>(message[1]);
    } else {
      message.erase(0, 1);
      if (form_.is_base64) message = from_base64(message);
      if (message.empty()) return;
      frame.data = std::move(message);
    }
    deliver(std::move(frame));
  }

  base::Status send_frame(const ChannelFrame& frame) override {
    // Only data has a form here; the end of the session closes every channel.
    if (frame.kind != ChannelFrame::Kind::data) return base::Status::ok();
    if (messages_.is_closed()) return base::cancelled("the peer has closed");
    if (frame.channel >= kCloseSignal) return base::invalid_argument("no such channel");
    std::string payload;
    payload.reserve(frame.data.size() + 1);
    if (form_.has_channels)
      payload.push_back(static_cast<char>(frame.channel + (form_.is_base64 ? '0' : 0)));
    payload += form_.is_base64 ? to_base64(frame.data) : frame.data;
    messages_.send(form_.is_base64 ? WebSocketOpcode::text : WebSocketOpcode::binary, payload);
    return base::Status::ok();
  }
  void on_taken(const ChannelFrame&) override {}

  WebSocketMessages messages_;
  const MessageForm form_;
};

// The transport of a SPDY session inside of a WebSocket.
class TunnelTransport final : public SessionTransport {
 public:
  explicit TunnelTransport(std::unique_ptr<SessionTransport> outer)
      : outer_(std::move(outer)), messages_(*outer_) {}
  void send(std::string_view bytes) override { messages_.send(WebSocketOpcode::binary, bytes); }
  std::size_t queued_bytes() const override { return outer_->queued_bytes(); }
  base::CancelToken cancel() const override { return outer_->cancel(); }
  base::Timers& timers() override { return outer_->timers(); }
  void resume_input() override { outer_->resume_input(); }
  WebSocketMessages& messages() { return messages_; }

 private:
  std::unique_ptr<SessionTransport> outer_;
  WebSocketMessages messages_;
};

class TunnelSession final : public UpgradedSession {
 public:
  TunnelSession(std::unique_ptr<TunnelTransport> transport, std::string protocol,
                StreamTypes stream_types)
      : tunnel_(*transport),
        spdy_(make_spdy_session(std::move(transport), std::move(protocol),
                                std::move(stream_types))) {}

  std::string_view protocol() const override { return spdy_->protocol(); }
  base::CancelToken cancel() const override { return spdy_->cancel(); }
  base::Task<base::Result<std::optional<ChannelFrame>>> read() override { return spdy_->read(); }
  base::Task<base::Status> write(ChannelFrame frame) override {
    return spdy_->write(std::move(frame));
  }
  void on_sent() override { spdy_->on_sent(); }
  void on_end() override { spdy_->on_end(); }
  void close() override {
    spdy_->close();
    tunnel_.messages().close(kWebSocketNormal);
  }
  bool has_room() const override { return spdy_->has_room(); }
  void finish() override {
    spdy_->finish();
    tunnel_.messages().close(kWebSocketNormal);
  }

  base::Result<std::size_t> on_input(std::string_view input) override {
    std::size_t size = input.size();
    for (;;) {
      if (!held_.empty()) {
        SKIFF_ASSIGN_OR_RETURN(std::size_t used, spdy_->on_input(held_));
        held_.erase(0, used);
        if (!held_.empty()) return size - input.size();  // the inbox is full
      }
      auto next = tunnel_.messages().next(input);
      if (next == WebSocketMessages::Next::ended) {
        spdy_->on_end();
        return size;
      }
      if (next == WebSocketMessages::Next::need_more) return size - input.size();
      held_ = tunnel_.messages().take_message();
    }
  }

 private:
  TunnelTransport& tunnel_;
  std::unique_ptr<UpgradedSession> spdy_;
  std::string held_;  // of a message, while the inbox is full
};

}  // namespace

std::unique_ptr<UpgradedSession> make_websocket_session(std::unique_ptr<SessionTransport> transport,
                                                        std::string protocol) {
  return std::make_unique<WebSocketSession>(std::move(transport), std::move(protocol));
}

std::unique_ptr<UpgradedSession> make_tunnel_session(std::unique_ptr<SessionTransport> transport,
                                                     std::string protocol,
                                                     StreamTypes stream_types) {
  auto tunnel = std::make_unique<TunnelTransport>(std::move(transport));
  return std::make_unique<TunnelSession>(std::move(tunnel), std::move(protocol),
                                         std::move(stream_types));
}

}  // namespace skiff::http
