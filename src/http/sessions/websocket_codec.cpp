#include "http/sessions/websocket_codec.h"

#include <skiff/base/strings.h>

#include "http/limits.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

namespace skiff::http {

namespace {

bool is_control(WebSocketOpcode opcode) { return static_cast<int>(opcode) >= 8; }

bool is_known(int opcode) { return opcode <= 2 || (opcode >= 8 && opcode <= 10); }

bool is_valid_close_code(std::uint16_t code) {
  return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
         (code >= 3000 && code <= 4999);
}

}  // namespace

WebSocketReader::Event WebSocketReader::fail(std::uint16_t code) {
  failed_ = true;
  close_code_ = code;
  std::string().swap(message_);
  return Event::error;
}

bool WebSocketReader::read_header(std::string_view& input) {
  for (;;) {
    std::size_t wanted = 2;
    if (header_bytes_ >= 2) {
      int length = header_[1] & 0x7f;
      wanted = 2u +
               (length == 126   ? 2u
                : length == 127 ? 8u
                                : 0u) +
               ((header_[1] & 0x80) != 0 ? 4u : 0u);
      if (header_bytes_ == wanted) return true;
    }
    if (input.empty()) return false;
    std::size_t take = std::min(wanted - header_bytes_, input.size());
    std::memcpy(header_ + header_bytes_, input.data(), take);
    header_bytes_ += take;
    input.remove_prefix(take);
  }
}

// False when the frame may not come here.
bool WebSocketReader::check_header() {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(header_[i]); };
  if ((byte(0) & 0x70) != 0 || !is_known(byte(0) & 0x0f) || (byte(1) & 0x80) == 0) return false;
  final_ = (byte(0) & 0x80) != 0;
  opcode_ = static_cast<WebSocketOpcode>(byte(0) & 0x0f);
  frame_bytes_ = byte(1) & 0x7f;
  std::size_t mask_at = 2;
  if (frame_bytes_ == 126) {
    frame_bytes_ = static_cast<std::uint64_t>(byte(2)) << 8 | byte(3);
    mask_at = 4;
    if (frame_bytes_ < 126) return false;
  } else if (frame_bytes_ == 127) {
    frame_bytes_ = 0;
    for (std::size_t i = 2; i < 10; ++i) frame_bytes_ = frame_bytes_ << 8 | byte(i);
    mask_at = 10;
    if (frame_bytes_ < 65536 || frame_bytes_ >> 63 != 0) return false;
  }
  std::memcpy(mask_, header_ + mask_at, 4);
  if (is_control(opcode_)) return final_ && frame_bytes_ <= 125;
  return in_message_ == (opcode_ == WebSocketOpcode::continuation);
}

WebSocketReader::Event WebSocketReader::next(std::string_view& input) {
  if (failed_) return Event::error;
  for (;;) {
    if (!in_frame_) {
      if (!read_header(input)) return Event::need_more;
      if (!check_header()) return fail(kWebSocketProtocolError);
      header_bytes_ = 0;
      frame_read_ = 0;
      in_frame_ = true;
      if (!is_control(opcode_)) {
        in_message_ = true;
        if (frame_bytes_ > kWebSocketMessageBytesMax - message_.size())
          return fail(kWebSocketTooBig);
      }
    }
    std::string& target = is_control(opcode_) ? control_ : message_;
    auto take =
        static_cast<std::size_t>(std::min<std::uint64_t>(frame_bytes_ - frame_read_, input.size()));
    std::size_t start = target.size();
    target.append(input.substr(0, take));
    for (std::size_t i = 0; i < take; ++i)
      target[start + i] = static_cast<char>(target[start + i] ^ mask_[(frame_read_ + i) & 3]);
    input.remove_prefix(take);
    frame_read_ += take;
    if (frame_read_ < frame_bytes_) return Event::need_more;
    in_frame_ = false;
    if (auto event = finish_frame(); event != Event::need_more) return event;
  }
}

// need_more: the message goes on in another frame.
WebSocketReader::Event WebSocketReader::finish_frame() {
  if (!is_control(opcode_)) {
    if (!final_) return Event::need_more;
    in_message_ = false;
    payload_ = std::move(message_);
    std::string().swap(message_);
    return Event::message;
  }
  payload_ = std::move(control_);
  std::string().swap(control_);
  if (opcode_ == WebSocketOpcode::ping) return Event::ping;
  if (opcode_ == WebSocketOpcode::pong) return Event::pong;
  if (payload_.size() == 1) return fail(kWebSocketProtocolError);
  close_code_ = kWebSocketNormal;
  if (payload_.size() >= 2) {
    close_code_ = static_cast<std::uint16_t>(static_cast<unsigned char>(payload_[0]) << 8 |
                                             static_cast<unsigned char>(payload_[1]));
    if (!is_valid_close_code(close_code_)) return fail(kWebSocketProtocolError);
    payload_.erase(0, 2);
  }
  failed_ = true;  // nothing may follow
  return Event::close;
}

std::string websocket_frame_header(WebSocketOpcode opcode, std::size_t payload_bytes) {
  std::string header;
  header.push_back(static_cast<char>(0x80 | static_cast<int>(opcode)));
  if (payload_bytes < 126) {
    header.push_back(static_cast<char>(payload_bytes));
    return header;
  }
  bool is_short = payload_bytes < 65536;
  header.push_back(static_cast<char>(is_short ? 126 : 127));
  for (int shift = is_short ? 8 : 56; shift >= 0; shift -= 8)
    header.push_back(static_cast<char>(static_cast<std::uint64_t>(payload_bytes) >> shift & 0xff));
  return header;
}

std::string websocket_close_frame(std::uint16_t code) {
  std::string frame = websocket_frame_header(WebSocketOpcode::close, 2);
  frame.push_back(static_cast<char>(code >> 8));
  frame.push_back(static_cast<char>(code & 0xff));
  return frame;
}

std::string websocket_accept(std::string_view key) {
  std::string text = base::concat(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  SKIFF_ASSERT(EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr) == 1);
  unsigned char encoded[64];
  int length = EVP_EncodeBlock(encoded, digest, static_cast<int>(size));
  return std::string(reinterpret_cast<char*>(encoded), static_cast<std::size_t>(length));
}

}  // namespace skiff::http
