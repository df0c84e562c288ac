#include <skiff/api/scan.h>

#include "api/json_scan.h"

#include <skiff/api/object.h>

#include <cstring>

namespace skiff::api {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Four hex digits at `i`; -1 when they are not there.
int read_unit(std::string_view text, std::size_t i) {
  if (i + 4 > text.size()) return -1;
  int unit = 0;
  for (std::size_t k = i; k < i + 4; ++k) {
    int digit = hex_digit(text[k]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

void append_utf8(unsigned code_point, std::string& out) {
  auto put = [&](unsigned byte) { out += static_cast<char>(byte); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3f));
    put(0x80 | ((code_point >> 6) & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

// The escape after "\u" at `i`, surrogate pairs joined; moves `i` past it. False on a defect.
bool append_unicode_escape(std::string_view text, std::size_t& i, std::string& out) {
  int unit = read_unit(text, i);
  if (unit < 0) return false;
  i += 4;
  unsigned code_point = static_cast<unsigned>(unit);
  if (unit >= 0xd800 && unit <= 0xdbff && text.substr(i, 2) == "\\u") {
    int low = read_unit(text, i + 2);
    if (low >= 0xdc00 && low <= 0xdfff) {
      code_point = 0x10000u + ((static_cast<unsigned>(unit) - 0xd800u) << 10) +
                   (static_cast<unsigned>(low) - 0xdc00u);
      i += 6;
    }
  }
  if (code_point >= 0xd800 && code_point <= 0xdfff) code_point = 0xfffd;
  append_utf8(code_point, out);
  return true;
}

// At '"': past the end of the string; null when it does not end.
const char* skip_string(const char* at, const char* end) {
  const char* const first = at + 1;
  for (const char* from = first; from < end;) {
    const auto left = static_cast<std::size_t>(end - from);
    const auto* quote = static_cast<const char*>(std::memchr(from, '"', left));
    if (quote == nullptr) return nullptr;
    const char* escapes = quote;
    while (escapes > first && escapes[-1] == '\\') --escapes;
    // Behind an odd number of backslashes it belongs to the string.
    if ((quote - escapes) % 2 == 0) return quote + 1;
    from = quote + 1;
  }
  return nullptr;
}

// At '{' or '[': past the end of it; null when it does not end.
const char* skip_container(const char* at, const char* end) {
  std::size_t depth = 0;
  while (at < end) {
    switch (*at) {
      case '"':
        at = skip_string(at, end);
        if (at == nullptr) return nullptr;
        break;
      case '{':
      case '[':
        ++depth;
        ++at;
        break;
      case '}':
      case ']':
        ++at;
        if (--depth == 0) return at;
        break;
      default: ++at;
    }
  }
  return nullptr;
}

const char* skip_scalar(const char* at, const char* end) {
  while (at < end && std::memchr(",}] \t\n\r", *at, 7) == nullptr) ++at;
  return at;
}

}  // namespace

void JsonScanner::skip_space() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
    ++at_;
}

std::string_view JsonScanner::take_string() {
  const std::size_t start = at_;
  const char* after = skip_string(text_.data() + at_, text_.data() + text_.size());
  at_ = after == nullptr ? text_.size() : static_cast<std::size_t>(after - text_.data());
  return after == nullptr ? std::string_view() : text_.substr(start, at_ - start);
}

bool JsonScanner::enter_object() {
  skip_space();
  if (at_ >= text_.size() || text_[at_] != '{') return false;
  ++at_;
  return true;
}

bool JsonScanner::next_key(std::string& key) {
  skip_space();
  if (at_ < text_.size() && text_[at_] == ',') {
    ++at_;
    skip_space();
  }
  if (at_ >= text_.size() || text_[at_] != '"') return false;
  std::string_view raw = take_string();
  if (raw.empty()) return false;
  if (raw.find('\\') == std::string_view::npos) {
    key.assign(raw.substr(1, raw.size() - 2));
  } else {
    auto decoded = decode_json_string(raw);
    if (!decoded) return false;
    key = std::move(*decoded);
  }
  skip_space();
  if (at_ >= text_.size() || text_[at_] != ':') return false;
  ++at_;
  return true;
}

bool JsonScanner::leave_object() {
  skip_space();
  if (at_ >= text_.size() || text_[at_] != '}') return false;
  ++at_;
  return true;
}

std::string_view JsonScanner::take_value() {
  skip_space();
  if (at_ >= text_.size()) return {};
  const char first = text_[at_];
  if (first == '"') return take_string();
  const char* const begin = text_.data() + at_;
  const char* const end = text_.data() + text_.size();
  const char* after =
      first == '{' || first == '[' ? skip_container(begin, end) : skip_scalar(begin, end);
  if (after == nullptr) {
    at_ = text_.size();
    return {};
  }
  at_ = static_cast<std::size_t>(after - text_.data());
  return {begin, static_cast<std::size_t>(after - begin)};
}

std::optional<std::string> decode_json_string(std::string_view raw) {
  if (raw.size() < 2 || raw.front() != '"' || raw.back() != '"') return std::nullopt;
  raw = raw.substr(1, raw.size() - 2);
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size();) {
    char c = raw[i++];
    if (c != '\\') {
      out += c;
      continue;
    }
    if (i >= raw.size()) return std::nullopt;
    switch (raw[i++]) {
      case '"': out += '"'; break;
      case '\\': out += '\\'; break;
      case '/': out += '/'; break;
      case 'b': out += '\b'; break;
      case 'f': out += '\f'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      case 'u':
        if (!append_unicode_escape(raw, i, out)) return std::nullopt;
        break;
      default: return std::nullopt;
    }
  }
  return out;
}

std::optional<std::string_view> scan_raw(std::string_view json, const std::string_view* path,
                                         std::size_t path_size) {
  JsonScanner scanner(json);
  std::string key;
  for (std::size_t level = 0; level < path_size; ++level) {
    if (!scanner.enter_object()) return std::nullopt;
    for (;;) {
      if (!scanner.next_key(key)) return std::nullopt;
      if (key == path[level]) break;
      if (scanner.take_value().empty()) return std::nullopt;
    }
  }
  std::string_view raw = scanner.take_value();
  if (raw.empty()) return std::nullopt;
  return raw;
}

std::optional<std::string> scan_string(std::string_view json,
                                       std::initializer_list<std::string_view> path) {
  auto raw = scan_raw(json, path.begin(), path.size());
  if (!raw) return std::nullopt;
  return decode_json_string(*raw);
}

codec::Json scan_tree(std::string_view json, std::initializer_list<std::string_view> path) {
  auto raw = scan_raw(json, path.begin(), path.size());
  if (!raw) return {};
  auto tree = codec::parse_json(*raw);
  return tree.is_ok() ? std::move(*tree) : codec::Json();
}

std::vector<std::pair<std::string, std::string>> scan_string_map(
    std::string_view json, std::initializer_list<std::string_view> path) {
  std::vector<std::pair<std::string, std::string>> map;
  auto raw = scan_raw(json, path.begin(), path.size());
  if (!raw) return map;
  JsonScanner scanner(*raw);
  if (!scanner.enter_object()) return map;
  std::string key;
  while (scanner.next_key(key)) {
    std::string_view value = scanner.take_value();
    if (value.empty()) break;
    if (auto text = decode_json_string(value)) map.emplace_back(key, std::move(*text));
  }
  return map;
}

}  // namespace skiff::api
