// SPDY/3.1 frames and header blocks, without a socket.
#pragma once

#include <skiff/base/result.h>
#include <skiff/http/message.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace skiff::http {

enum class SpdyType : std::uint16_t {
  syn_stream = 1,
  syn_reply = 2,
  rst_stream = 3,
  settings = 4,
  ping = 6,
  goaway = 7,
  headers = 8,
  window_update = 9,
};
inline constexpr unsigned char kSpdyFin = 1;
// RST_STREAM status codes.
inline constexpr std::uint32_t kSpdyProtocolError = 1;
inline constexpr std::uint32_t kSpdyInvalidStream = 2;
inline constexpr std::uint32_t kSpdyRefusedStream = 3;
inline constexpr std::uint32_t kSpdyCancel = 5;
inline constexpr std::uint32_t kSpdyStreamAlreadyClosed = 9;

struct SpdyControlFrame {
  SpdyType type{};
  unsigned char flags = 0;
  std::string payload;
};
struct SpdyDataPiece {
  std::uint32_t stream = 0;
  std::string_view bytes;  // of the input given
  bool is_last = false;    // the frame's FIN was set and this is its end
};

// Cuts bytes into control frames and pieces of data frames. Thread-compatible.
class SpdyReader {
 public:
  enum class Event : unsigned char { need_more, control, data, error };
  // Takes bytes off `input` until something happened. After `error` nothing is read any more.
  Event next(std::string_view& input);
  SpdyControlFrame& control() { return control_; }
  const SpdyDataPiece& data() const { return data_; }

 private:
  Event read_data(std::string_view& input);

  char header_[8] = {};
  std::size_t header_bytes_ = 0;
  bool failed_ = false;
  std::size_t frame_left_ = 0;
  SpdyControlFrame control_;
  SpdyDataPiece data_;
};

// Header blocks of one direction: zlib with the dictionary of the specification and state that
// spans blocks. Thread-compatible.
class SpdyHeaderReader {
 public:
  SpdyHeaderReader();
  ~SpdyHeaderReader();
  // An error leaves the state unusable: the connection has to end.
  base::Result<Headers> read(std::string_view block);

 private:
  struct Zlib;
  std::unique_ptr<Zlib> zlib_;
};
class SpdyHeaderWriter {
 public:
  SpdyHeaderWriter();
  ~SpdyHeaderWriter();
  std::string write(const Headers& headers);

 private:
  struct Zlib;
  std::unique_ptr<Zlib> zlib_;
};

std::uint32_t spdy_number(std::string_view bytes);  // the first 4, big-endian
void append_spdy_number(std::string& out, std::uint32_t number);
std::string spdy_control_frame(SpdyType type, unsigned char flags, std::string_view payload);
std::string spdy_rst_stream(std::uint32_t stream, std::uint32_t status);
std::string spdy_window_update(std::uint32_t stream, std::uint32_t delta);
std::string spdy_data_header(std::uint32_t stream, bool is_last, std::size_t bytes);

}  // namespace skiff::http
