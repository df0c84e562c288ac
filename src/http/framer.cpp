#include "http/framer.h"

#include <skiff/base/strings.h>

#include "http/limits.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace skiff::http {

namespace {

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr auto kTokenTable = make_token_table();

bool is_field_value(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
  });
}

std::string_view trim_ows(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The next line of a complete head, without CRLF; the scanner has checked the line ends.
std::string_view take_line(std::string_view& head) {
  auto end = head.find("\r\n");
  std::string_view line = head.substr(0, end);
  head.remove_prefix(end + 2);
  return line;
}

std::optional<FramingError> parse_fields(std::string_view head, Headers& headers) {
  std::size_t count = 0;
  for (;;) {
    std::string_view line = take_line(head);
    if (line.empty()) return std::nullopt;
    if (++count > kHeaderFieldsMax) return FramingError{431, "too many header fields"};
    if (line.front() == ' ' || line.front() == '\t')
      return FramingError{400, "folded header field"};
    auto colon = line.find(':');
    if (colon == std::string_view::npos) return FramingError{400, "header field without a colon"};
    std::string_view name = line.substr(0, colon);
    std::string_view value = trim_ows(line.substr(colon + 1));
    if (!is_token(name)) return FramingError{400, "invalid header name"};
    if (!is_field_value(value)) return FramingError{400, "invalid header value"};
    headers.add(std::string(name), std::string(value));
  }
}

std::optional<std::uint64_t> parse_length(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

struct Framing {
  BodyKind body = BodyKind::none;
  std::uint64_t length = 0;
  bool has_length = false;
};

std::optional<FramingError> find_framing(const Headers& headers, int minor_version, Framing& out) {
  std::size_t lengths = 0;
  std::size_t encodings = 0;
  for (const auto& [name, value] : headers.fields()) {
    if (name.size() == 14 && base::equals_ignore_case(name, "Content-Length")) {
      auto length = parse_length(value);
      if (!length) return FramingError{400, "bad Content-Length"};
      out.length = *length;
      ++lengths;
    } else if (name.size() == 17 && base::equals_ignore_case(name, "Transfer-Encoding")) {
      if (!base::equals_ignore_case(value, "chunked"))
        return FramingError{501, "unsupported transfer encoding"};
      ++encodings;
    }
  }
  if (lengths > 1) return FramingError{400, "several Content-Length fields"};
  if (encodings > 1) return FramingError{400, "several Transfer-Encoding fields"};
  if (lengths == 1 && encodings == 1)
    return FramingError{400, "Content-Length together with Transfer-Encoding"};
  if (encodings == 1 && minor_version == 0)
    return FramingError{400, "Transfer-Encoding in HTTP/1.0"};
  out.has_length = lengths == 1;
  if (encodings == 1)
    out.body = BodyKind::chunked;
  else if (lengths == 1 && out.length > 0)
    out.body = BodyKind::length;
  return std::nullopt;
}

bool wants_keep_alive(const Headers& headers, int minor_version) {
  if (list_has_token(headers, "Connection", "close")) return false;
  return minor_version >= 1 || list_has_token(headers, "Connection", "keep-alive");
}

std::optional<int> parse_minor_version(std::string_view version) {
  if (version == "HTTP/1.1") return 1;
  if (version == "HTTP/1.0") return 0;
  return std::nullopt;
}

// origin-form, "*" of OPTIONS, or absolute-form, which becomes origin-form.
std::optional<FramingError> set_target(std::string_view target, RequestHead& out) {
  if (target.size() > kTargetBytesMax) return FramingError{414, "request target too long"};
  bool visible = std::all_of(target.begin(), target.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7f;
  });
  if (!visible || target.find('#') != std::string_view::npos)
    return FramingError{400, "malformed request target"};
  if (target.front() == '/' || (target == "*" && out.method == "OPTIONS")) {
    out.target = target;
    return std::nullopt;
  }
  auto scheme_end = target.find("://");
  std::string_view scheme = target.substr(0, scheme_end);
  if (scheme_end == std::string_view::npos ||
      !(base::equals_ignore_case(scheme, "http") || base::equals_ignore_case(scheme, "https")))
    return FramingError{400, "malformed request target"};
  std::string_view rest = target.substr(scheme_end + 3);
  auto path = rest.find_first_of("/?");
  if (path == std::string_view::npos)
    out.target = "/";
  else if (rest[path] == '?')
    out.target = base::concat("/", rest.substr(path));
  else
    out.target = rest.substr(path);
  return std::nullopt;
}

std::optional<FramingError> parse_request_line(std::string_view line, RequestHead& out) {
  auto first = line.find(' ');
  auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || first + 1 == last)
    return FramingError{400, "malformed request line"};
  std::string_view method = line.substr(0, first);
  if (!is_token(method)) return FramingError{400, "invalid method"};
  std::string_view version = line.substr(last + 1);
  auto minor = parse_minor_version(version);
  if (!minor)
    return base::starts_with(version, "HTTP/") ? FramingError{505, "unsupported HTTP version"}
                                               : FramingError{400, "malformed HTTP version"};
  out.minor_version = *minor;
  out.method = method;
  return set_target(line.substr(first + 1, last - first - 1), out);
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return kTokenTable[static_cast<unsigned char>(c)];
  });
}

bool is_sendable_field(std::string_view name, std::string_view value) {
  return is_token(name) && is_field_value(value);
}

bool list_has_token(const Headers& headers, std::string_view name, std::string_view token) {
  for (const auto& [key, value] : headers.fields()) {
    if (!base::equals_ignore_case(key, name)) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      auto comma = rest.find(',');
      if (base::equals_ignore_case(trim_ows(rest.substr(0, comma)), token)) return true;
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  return false;
}

HeadScanner::State HeadScanner::scan(std::string_view input) {
  while (position_ < input.size()) {
    const char* start = input.data() + position_;
    const void* found = std::memchr(start, '\n', input.size() - position_);
    if (found == nullptr) return State::need_more;
    auto line_bytes = static_cast<std::size_t>(static_cast<const char*>(found) - start);
    if (line_bytes == 0 || start[line_bytes - 1] != '\r') return State::bad;
    // A CR that ends no line would hide a line from other parsers.
    if (std::memchr(start, '\r', line_bytes - 1) != nullptr) return State::bad;
    bool first_line = position_ == 0;
    position_ += line_bytes + 1;
    if (line_bytes == 1) return first_line ? State::bad : State::complete;
  }
  return State::need_more;
}

std::optional<FramingError> parse_request_head(std::string_view head, RequestHead& out) {
  if (auto error = parse_request_line(take_line(head), out)) return error;
  if (auto error = parse_fields(head, out.headers)) return error;
  Framing framing;
  if (auto error = find_framing(out.headers, out.minor_version, framing)) return error;
  out.body = framing.body;
  out.content_length = framing.length;
  std::size_t hosts = 0;
  for (const auto& field : out.headers.fields())
    if (field.first.size() == 4 && base::equals_ignore_case(field.first, "Host")) ++hosts;
  if (hosts > 1) return FramingError{400, "several Host fields"};
  if (hosts == 0 && out.minor_version >= 1)
    return FramingError{400, "missing required Host header"};
  out.keep_alive = wants_keep_alive(out.headers, out.minor_version);
  out.wants_upgrade =
      list_has_token(out.headers, "Connection", "upgrade") && out.headers.has("Upgrade");
  std::string_view expect = out.headers.get("Expect");
  if (!expect.empty() && out.minor_version >= 1) {
    if (!base::equals_ignore_case(expect, "100-continue"))
      return FramingError{417, "unknown expectation"};
    out.expects_continue = true;
  }
  return std::nullopt;
}

std::optional<FramingError> parse_response_head(std::string_view head, std::string_view method,
                                                ResponseHead& out) {
  std::string_view line = take_line(head);
  auto space = line.find(' ');
  auto minor = parse_minor_version(line.substr(0, space));
  if (!minor || space == std::string_view::npos) return FramingError{502, "malformed status line"};
  std::string_view rest = line.substr(space + 1);
  std::string_view code = rest.substr(0, 3);
  bool digits = code.size() == 3 &&
                std::all_of(code.begin(), code.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || code.front() == '0' || (rest.size() > 3 && rest[3] != ' '))
    return FramingError{502, "malformed status line"};
  out.minor_version = *minor;
  out.status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  if (auto error = parse_fields(head, out.headers)) return error;
  Framing framing;
  if (auto error = find_framing(out.headers, out.minor_version, framing)) return error;
  out.content_length = framing.length;
  bool no_body = method == "HEAD" || out.status < 200 || out.status == 204 || out.status == 304;
  if (no_body)
    out.body = BodyKind::none;
  else if (framing.body == BodyKind::none && !framing.has_length)
    out.body = BodyKind::until_close;
  else
    out.body = framing.body;
  out.keep_alive =
      out.body != BodyKind::until_close && wants_keep_alive(out.headers, out.minor_version);
  return std::nullopt;
}

void BodyDecoder::start(BodyKind kind, std::uint64_t content_length, std::uint64_t bytes_max) {
  kind_ = kind;
  room_ = bytes_max;
  trailer_bytes_ = 0;
  left_ = kind == BodyKind::length ? content_length : 0;
  if (kind == BodyKind::none)
    part_ = Part::end;
  else
    part_ = kind == BodyKind::chunked ? Part::size : Part::data;
}

// False when the body would be larger than allowed.
bool BodyDecoder::take_data(std::string_view input, std::string& out, std::size_t& consumed) {
  std::size_t available = input.size() - consumed;
  auto take = kind_ == BodyKind::until_close
                  ? available
                  : static_cast<std::size_t>(std::min<std::uint64_t>(available, left_));
  if (take > room_) return false;
  out.append(input.substr(consumed, take));
  consumed += take;
  room_ -= take;
  if (kind_ != BodyKind::until_close) left_ -= take;
  return true;
}

BodyDecoder::State BodyDecoder::decode(std::string_view input, std::string& out,
                                       std::size_t& consumed) {
  consumed = 0;
  if (part_ == Part::end) return State::done;
  if (kind_ == BodyKind::chunked) return decode_chunked(input, out, consumed);
  if (kind_ == BodyKind::length && left_ > room_) return State::too_large;
  if (!take_data(input, out, consumed)) return State::too_large;
  if (kind_ == BodyKind::until_close || left_ > 0) return State::need_more;
  part_ = Part::end;
  return State::done;
}

BodyDecoder::State BodyDecoder::take_size_line(std::string_view line) {
  std::size_t digits = 0;
  std::uint64_t size = 0;
  while (digits < line.size() && hex_value(line[digits]) >= 0) {
    if (digits == 15) return State::bad;
    size = size * 16 + static_cast<std::uint64_t>(hex_value(line[digits]));
    ++digits;
  }
  std::string_view extension = trim_ows(line.substr(digits));
  if (digits == 0 || (!extension.empty() && extension.front() != ';') || !is_field_value(extension))
    return State::bad;
  if (size > room_) return State::too_large;
  left_ = size;
  part_ = size == 0 ? Part::trailer : Part::data;
  return State::need_more;
}

BodyDecoder::State BodyDecoder::decode_chunked(std::string_view input, std::string& out,
                                               std::size_t& consumed) {
  while (part_ != Part::end) {
    if (part_ == Part::data) {
      if (!take_data(input, out, consumed)) return State::too_large;
      if (left_ > 0) return State::need_more;
      part_ = Part::data_end;
    }
    std::string_view rest = input.substr(consumed);
    auto line_end = rest.find('\n');
    std::size_t line_max = part_ == Part::data_end ? 2
                           : part_ == Part::size   ? kChunkLineBytesMax
                                                   : kTrailerBytesMax - trailer_bytes_;
    if (line_end == std::string_view::npos)
      return rest.size() >= line_max ? State::bad : State::need_more;
    if (line_end + 1 > line_max || line_end == 0 || rest[line_end - 1] != '\r') return State::bad;
    std::string_view line = rest.substr(0, line_end - 1);
    consumed += line_end + 1;
    if (part_ == Part::data_end) {
      if (!line.empty()) return State::bad;
      part_ = Part::size;
    } else if (part_ == Part::size) {
      if (auto state = take_size_line(line); state != State::need_more) return state;
    } else if (line.empty()) {
      part_ = Part::end;
    } else {
      trailer_bytes_ += line_end + 1;
      auto colon = line.find(':');
      if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) ||
          !is_field_value(line.substr(colon + 1)))
        return State::bad;
    }
  }
  return State::done;
}

}  // namespace skiff::http
