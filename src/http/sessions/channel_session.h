// Sessions on upgraded connections: what WebSocket and SPDY have in common.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/clock.h>
#include <skiff/base/lean_queue.h>
#include <skiff/http/message.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::http {

// Takes over the bytes of a connection after 101. Loop-only.
class UpgradedProtocol {
 public:
  virtual ~UpgradedProtocol() = default;
  // Bytes arrived; returns how many are used up. An error ends the connection.
  virtual base::Result<std::size_t> on_input(std::string_view input) = 0;
  // Room in the output queue.
  virtual void on_sent() = 0;
  // Nothing more arrives.
  virtual void on_end() = 0;
};

// What a session needs from the connection below it. Loop-only.
class SessionTransport {
 public:
  virtual ~SessionTransport() = default;
  virtual void send(std::string_view bytes) = 0;
  virtual std::size_t queued_bytes() const = 0;
  virtual base::CancelToken cancel() const = 0;
  virtual base::Timers& timers() = 0;
  // The inbox has room again: on_input is called with what waits.
  virtual void resume_input() = 0;
};

// A session as the connection sees it. Loop-only. The task that uses it ends its reads and writes
// before it returns.
class UpgradedSession : public ChannelSession, public UpgradedProtocol {
 public:
  // Says goodbye to the peer, once: by close(), or when the session's task is over.
  virtual void finish() = 0;
  // The inbox takes more; when not, resume_input() says when it does.
  virtual bool has_room() const = 0;
};

// An inbox for the reader, waiting for the writers. Loop-only.
class SessionBase : public UpgradedSession {
 public:
  SessionBase(std::unique_ptr<SessionTransport> transport, std::string protocol);
  ~SessionBase() override;

  std::string_view protocol() const override { return protocol_; }
  base::CancelToken cancel() const override { return transport_->cancel(); }
  base::Task<base::Result<std::optional<ChannelFrame>>> read() override;
  base::Task<base::Status> write(ChannelFrame frame) override;
  void on_sent() override { wake_all(); }
  void on_end() override;
  void close() override;
  bool has_room() const override { return !inbox_is_full(); }

 protected:
  // Puts a frame on the wire. not_found: the channel is not open yet, wait and try again;
  // unavailable: the peer's window is full, likewise.
  virtual base::Status send_frame(const ChannelFrame& frame) = 0;
  // The reader has taken a frame.
  virtual void on_taken(const ChannelFrame& frame) = 0;

  SessionTransport& transport() { return *transport_; }
  void deliver(ChannelFrame frame);
  bool inbox_is_full() const;
  // The peer will send nothing more; what is in the inbox is still read.
  void end_input();
  void wake_all();

 private:
  // False when cancelled.
  base::Task<bool> wait_change();

  std::unique_ptr<SessionTransport> transport_;
  const std::string protocol_;
  base::LeanQueue<ChannelFrame> inbox_;
  std::size_t inbox_bytes_ = 0;
  bool input_ended_ = false;
  bool closed_ = false;
  std::vector<base::OneShot<bool>> waiters_;
  base::CancelCallback on_cancel_;
};

// `protocol` as negotiated: bytes of a channel as messages with the channel's number in front.
std::unique_ptr<UpgradedSession> make_websocket_session(std::unique_ptr<SessionTransport> transport,
                                                        std::string protocol);
// `stream_types` as in Upgrade.
using StreamTypes = std::vector<std::pair<std::string, std::uint32_t>>;
std::unique_ptr<UpgradedSession> make_spdy_session(std::unique_ptr<SessionTransport> transport,
                                                   std::string protocol, StreamTypes stream_types);
// SPDY frames inside of binary WebSocket messages.
std::unique_ptr<UpgradedSession> make_tunnel_session(std::unique_ptr<SessionTransport> transport,
                                                     std::string protocol,
                                                     StreamTypes stream_types);

// Frames of an extended CONNECT over HTTP/2.
std::unique_ptr<UpgradedSession> make_framed_session(std::unique_ptr<SessionTransport> transport,
                                                     std::string protocol);

// Bytes as they come.
std::unique_ptr<UpgradedSession> make_raw_session(std::unique_ptr<SessionTransport> transport);

// What to answer to a request for an upgrade.
struct Handshake {
  enum class Kind : unsigned char { refused, websocket, spdy, tunnel };
  Kind kind = Kind::refused;
  std::string protocol;  // negotiated
  Headers headers;       // of the 101
  int status = 400;      // when refused
  std::string reason;
};
Handshake negotiate_upgrade(std::string_view method, const Headers& request,
                            const std::vector<std::string>& protocols);

}  // namespace skiff::http
