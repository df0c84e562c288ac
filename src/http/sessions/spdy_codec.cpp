#include "http/sessions/spdy_codec.h"

#include <skiff/base/assert.h>
#include <skiff/base/strings.h>

#include "http/limits.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

namespace skiff::http {

namespace {

// Section 2.6.10.1 of the specification: length-prefixed names, then loose text.
const std::string& dictionary() {
  static const std::string built = [] {
    static constexpr std::string_view kNames[] = {"options",
                                                  "head",
                                                  "post",
                                                  "put",
                                                  "delete",
                                                  "trace",
                                                  "accept",
                                                  "accept-charset",
                                                  "accept-encoding",
                                                  "accept-language",
                                                  "accept-ranges",
                                                  "age",
                                                  "allow",
                                                  "authorization",
                                                  "cache-control",
                                                  "connection",
                                                  "content-base",
                                                  "content-encoding",
                                                  "content-language",
                                                  "content-length",
                                                  "content-location",
                                                  "content-md5",
                                                  "content-range",
                                                  "content-type",
                                                  "date",
                                                  "etag",
                                                  "expect",
                                                  "expires",
                                                  "from",
                                                  "host",
                                                  "if-match",
                                                  "if-modified-since",
                                                  "if-none-match",
                                                  "if-range",
                                                  "if-unmodified-since",
                                                  "last-modified",
                                                  "location",
                                                  "max-forwards",
                                                  "pragma",
                                                  "proxy-authenticate",
                                                  "proxy-authorization",
                                                  "range",
                                                  "referer",
                                                  "retry-after",
                                                  "server",
                                                  "te",
                                                  "trailer",
                                                  "transfer-encoding",
                                                  "upgrade",
                                                  "user-agent",
                                                  "vary",
                                                  "via",
                                                  "warning",
                                                  "www-authenticate",
                                                  "method",
                                                  "get",
                                                  "status",
                                                  "200 OK",
                                                  "version",
                                                  "HTTP/1.1",
                                                  "url",
                                                  "public",
                                                  "set-cookie",
                                                  "keep-alive",
                                                  "origin"};
    std::string text;
    for (auto name : kNames) {
      append_spdy_number(text, static_cast<std::uint32_t>(name.size()));
      text += name;
    }
    text +=
        "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
        "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
        "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
        "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, "
        "Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
        "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
        "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";
    return text;
  }();
  return built;
}

const Bytef* bytes_of(std::string_view text) { return reinterpret_cast<const Bytef*>(text.data()); }

base::Status malformed() { return base::invalid_argument("malformed SPDY header block"); }

base::Result<std::string_view> take_string(std::string_view& block) {
  if (block.size() < 4) return malformed();
  std::uint32_t size = spdy_number(block);
  block.remove_prefix(4);
  if (size > block.size()) return malformed();
  std::string_view text = block.substr(0, size);
  block.remove_prefix(size);
  return text;
}

base::Result<Headers> parse_pairs(std::string_view block) {
  if (block.size() < 4) return malformed();
  std::uint32_t count = spdy_number(block);
  block.remove_prefix(4);
  if (count > kHeaderFieldsMax) return malformed();
  Headers headers;
  for (std::uint32_t i = 0; i < count; ++i) {
    SKIFF_ASSIGN_OR_RETURN(std::string_view name, take_string(block));
    SKIFF_ASSIGN_OR_RETURN(std::string_view value, take_string(block));
    if (name.empty() || headers.has(name)) return malformed();
    // Several values of one name are separated by NUL.
    for (auto one : base::split(value, '\0')) headers.add(std::string(name), std::string(one));
  }
  if (!block.empty()) return malformed();
  return headers;
}

}  // namespace

std::uint32_t spdy_number(std::string_view bytes) {
  SKIFF_ASSERT(bytes.size() >= 4);
  auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]));
  };
  return byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
}

void append_spdy_number(std::string& out, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(number >> shift & 0xff));
}

std::string spdy_control_frame(SpdyType type, unsigned char flags, std::string_view payload) {
  std::string frame;
  append_spdy_number(frame, 0x80030000u | static_cast<std::uint32_t>(type));
  append_spdy_number(
      frame, static_cast<std::uint32_t>(flags) << 24 | static_cast<std::uint32_t>(payload.size()));
  frame += payload;
  return frame;
}

namespace {
std::string two_numbers(SpdyType type, std::uint32_t first, std::uint32_t second) {
  std::string payload;
  append_spdy_number(payload, first);
  append_spdy_number(payload, second);
  return spdy_control_frame(type, 0, payload);
}
}  // namespace

std::string spdy_rst_stream(std::uint32_t stream, std::uint32_t status) {
  return two_numbers(SpdyType::rst_stream, stream, status);
}
std::string spdy_window_update(std::uint32_t stream, std::uint32_t delta) {
  return two_numbers(SpdyType::window_update, stream, delta);
}

std::string spdy_data_header(std::uint32_t stream, bool is_last, std::size_t bytes) {
  SKIFF_ASSERT(bytes < (1u << 24));
  std::string header;
  append_spdy_number(header, stream);
  append_spdy_number(header, (is_last ? 1u << 24 : 0u) | static_cast<std::uint32_t>(bytes));
  return header;
}

SpdyReader::Event SpdyReader::next(std::string_view& input) {
  if (failed_) return Event::error;
  bool was_complete = header_bytes_ == sizeof header_;
  if (!was_complete) {
    std::size_t take = std::min(sizeof header_ - header_bytes_, input.size());
    std::memcpy(header_ + header_bytes_, input.data(), take);
    header_bytes_ += take;
    input.remove_prefix(take);
    if (header_bytes_ < sizeof header_) return Event::need_more;
    std::uint32_t lower = spdy_number(std::string_view(header_ + 4, 4));
    frame_left_ = lower & 0xffffff;
    control_.flags = static_cast<unsigned char>(lower >> 24);
  }
  std::uint32_t upper = spdy_number(std::string_view(header_, 4));
  if (upper >> 31 == 0) {
    if (!was_complete && frame_left_ > 0 && input.empty()) return Event::need_more;
    return read_data(input);
  }
  if (!was_complete) {
    if ((upper >> 16) != 0x8003 || frame_left_ > kSpdyControlBytesMax) {
      failed_ = true;
      return Event::error;
    }
    control_.type = static_cast<SpdyType>(upper & 0xffff);
    std::string().swap(control_.payload);
  }
  std::size_t take = std::min(frame_left_, input.size());
  control_.payload.append(input.substr(0, take));
  input.remove_prefix(take);
  frame_left_ -= take;
  if (frame_left_ > 0) return Event::need_more;
  header_bytes_ = 0;
  return Event::control;
}

SpdyReader::Event SpdyReader::read_data(std::string_view& input) {
  if (frame_left_ > 0 && input.empty()) return Event::need_more;
  std::size_t take = std::min(frame_left_, input.size());
  data_.stream = spdy_number(std::string_view(header_, 4));
  data_.bytes = input.substr(0, take);
  input.remove_prefix(take);
  frame_left_ -= take;
  data_.is_last = frame_left_ == 0 && (control_.flags & kSpdyFin) != 0;
  if (frame_left_ == 0) header_bytes_ = 0;
  return Event::data;
}

struct SpdyHeaderReader::Zlib {
  z_stream stream{};
};

SpdyHeaderReader::SpdyHeaderReader() : zlib_(std::make_unique<Zlib>()) {
  SKIFF_ASSERT(inflateInit(&zlib_->stream) == Z_OK);
}
SpdyHeaderReader::~SpdyHeaderReader() { inflateEnd(&zlib_->stream); }

base::Result<Headers> SpdyHeaderReader::read(std::string_view block) {
  z_stream& stream = zlib_->stream;
  stream.next_in = const_cast<Bytef*>(bytes_of(block));
  stream.avail_in = static_cast<uInt>(block.size());
  std::string text;
  char piece[4096];
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    int result = inflate(&stream, Z_SYNC_FLUSH);
    if (result == Z_NEED_DICT) {
      if (inflateSetDictionary(&stream, bytes_of(dictionary()),
                               static_cast<uInt>(dictionary().size())) != Z_OK)
        return malformed();
      continue;
    }
    if (result != Z_OK && result != Z_BUF_ERROR) return malformed();
    std::size_t made = sizeof piece - stream.avail_out;
    text.append(piece, made);
    if (text.size() > kSpdyHeadersBytesMax) return malformed();
    if (stream.avail_in == 0 && made < sizeof piece) break;
    if (result == Z_BUF_ERROR) return malformed();
  }
  return parse_pairs(text);
}

struct SpdyHeaderWriter::Zlib {
  z_stream stream{};
};

SpdyHeaderWriter::SpdyHeaderWriter() : zlib_(std::make_unique<Zlib>()) {
  // A window of 2 KiB holds the dictionary; the whole state takes about 12 KiB instead of 256.
  SKIFF_ASSERT(deflateInit2(&zlib_->stream, Z_BEST_COMPRESSION, Z_DEFLATED, 11, 1,
                            Z_DEFAULT_STRATEGY) == Z_OK);
  SKIFF_ASSERT(deflateSetDictionary(&zlib_->stream, bytes_of(dictionary()),
                                    static_cast<uInt>(dictionary().size())) == Z_OK);
}
SpdyHeaderWriter::~SpdyHeaderWriter() { deflateEnd(&zlib_->stream); }

std::string SpdyHeaderWriter::write(const Headers& headers) {
  std::string plain;
  append_spdy_number(plain, static_cast<std::uint32_t>(headers.fields().size()));
  for (const auto& [name, value] : headers.fields()) {
    append_spdy_number(plain, static_cast<std::uint32_t>(name.size()));
    plain += base::to_lower(name);
    append_spdy_number(plain, static_cast<std::uint32_t>(value.size()));
    plain += value;
  }
  z_stream& stream = zlib_->stream;
  stream.next_in = const_cast<Bytef*>(bytes_of(plain));
  stream.avail_in = static_cast<uInt>(plain.size());
  std::string block;
  char piece[1024];
  do {
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    SKIFF_ASSERT(deflate(&stream, Z_SYNC_FLUSH) != Z_STREAM_ERROR);
    block.append(piece, sizeof piece - stream.avail_out);
  } while (stream.avail_out == 0);
  return block;
}

}  // namespace skiff::http
