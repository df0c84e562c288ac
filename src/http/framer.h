// HTTP/1.1 framing, strict: what one reader could understand differently than another is refused.
#pragma once

#include <skiff/http/message.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skiff::http {

// Why a message is refused, and the status that says so. `reason` has static storage.
struct FramingError {
  int status = 400;
  std::string_view reason;
};

enum class BodyKind : unsigned char { none, length, chunked, until_close };

// Finds the end of a head in bytes that arrive in pieces, looking at each byte once.
// Thread-compatible.
class HeadScanner {
 public:
  enum class State : unsigned char { need_more, complete, bad };
  // `input` starts at the head's first byte and only grows between calls.
  State scan(std::string_view input);
  // After complete: bytes of the head, its empty line included.
  std::size_t head_bytes() const { return position_; }
  void reset() { position_ = 0; }

 private:
  std::size_t position_ = 0;  // start of the line that is not complete yet
};

struct RequestHead {
  std::string method;
  std::string target;
  int minor_version = 1;  // HTTP/1.x
  Headers headers;
  BodyKind body = BodyKind::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;
  bool expects_continue = false;
  bool wants_upgrade = false;
};
// `head` is what HeadScanner found.
std::optional<FramingError> parse_request_head(std::string_view head, RequestHead& out);

struct ResponseHead {
  int status = 0;
  int minor_version = 1;
  Headers headers;
  BodyKind body = BodyKind::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;
};
// `method` is the request's: an answer to HEAD has no body.
std::optional<FramingError> parse_response_head(std::string_view head, std::string_view method,
                                                ResponseHead& out);

// Takes the framing off a body. Thread-compatible.
class BodyDecoder {
 public:
  enum class State : unsigned char { need_more, done, bad, too_large };
  // `bytes_max`: of the whole decoded body.
  void start(BodyKind kind, std::uint64_t content_length, std::uint64_t bytes_max);
  // Appends decoded bytes to `out` and sets how many bytes of `input` are used up.
  State decode(std::string_view input, std::string& out, std::size_t& consumed);
  // The peer closed: whether that is a proper end of the body.
  bool may_end_here() const { return kind_ == BodyKind::until_close || part_ == Part::end; }

 private:
  enum class Part : unsigned char { size, data, data_end, trailer, end };
  State decode_chunked(std::string_view input, std::string& out, std::size_t& consumed);
  State take_size_line(std::string_view line);
  bool take_data(std::string_view input, std::string& out, std::size_t& consumed);

  BodyKind kind_ = BodyKind::none;
  Part part_ = Part::end;
  std::uint64_t left_ = 0;  // of the body, or of the current chunk
  std::uint64_t room_ = 0;
  std::size_t trailer_bytes_ = 0;
};

bool is_token(std::string_view text);
// True when the comma-separated list of all fields called `name` holds `token`, case ignored.
bool list_has_token(const Headers& headers, std::string_view name, std::string_view token);
// A header that may be sent: token as name, no control characters in the value.
bool is_sendable_field(std::string_view name, std::string_view value);

}  // namespace skiff::http
