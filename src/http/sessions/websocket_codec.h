// WebSocket frames (RFC 6455), strict, without a socket.
#pragma once

#include <skiff/http/message.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skiff::http {

enum class WebSocketOpcode : unsigned char {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

// Close codes that this side sends.
inline constexpr std::uint16_t kWebSocketNormal = 1000;
inline constexpr std::uint16_t kWebSocketGoingAway = 1001;
inline constexpr std::uint16_t kWebSocketProtocolError = 1002;
inline constexpr std::uint16_t kWebSocketTooBig = 1009;

// Reads a server's side: frames must be masked. Thread-compatible.
class WebSocketReader {
 public:
  enum class Event : unsigned char { need_more, message, ping, pong, close, error };
  // Takes bytes off `input` until something happened. After `error` nothing is read any more.
  Event next(std::string_view& input);
  // Of the message, ping, pong or close (without its code) just reported.
  std::string take_payload() { return std::move(payload_); }
  // What to close with after `close` (the peer's own code) or `error`.
  std::uint16_t close_code() const { return close_code_; }

 private:
  Event fail(std::uint16_t code);
  // False when the header needs more bytes; sets close_code_ when it is wrong.
  bool read_header(std::string_view& input);
  bool check_header();
  Event finish_frame();

  char header_[14] = {};
  std::size_t header_bytes_ = 0;
  bool in_frame_ = false;
  bool failed_ = false;
  bool final_ = false;
  WebSocketOpcode opcode_ = WebSocketOpcode::binary;
  std::uint64_t frame_bytes_ = 0;
  std::uint64_t frame_read_ = 0;
  unsigned char mask_[4] = {};
  bool in_message_ = false;
  std::string message_;
  std::string control_;
  std::string payload_;
  std::uint16_t close_code_ = 0;
};

// The header of one unfragmented, unmasked frame.
std::string websocket_frame_header(WebSocketOpcode opcode, std::size_t payload_bytes);
std::string websocket_close_frame(std::uint16_t code);
// The answer to Sec-WebSocket-Key.
std::string websocket_accept(std::string_view key);

}  // namespace skiff::http
