#include <skiff/codec/json.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace skiff::codec {

namespace {

// Length of the valid UTF-8 sequence at `i`, 0 when there is none (RFC 3629: no surrogates, no
// overlong forms).
std::size_t utf8_length(std::string_view s, std::size_t i) {
  auto byte = [&](std::size_t k) { return static_cast<unsigned char>(s[k]); };
  auto continues = [&](std::size_t k, unsigned char low = 0x80, unsigned char high = 0xbf) {
    return k < s.size() && byte(k) >= low && byte(k) <= high;
  };
  unsigned char first = byte(i);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(i + 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    unsigned char low = first == 0xe0 ? 0xa0 : 0x80, high = first == 0xed ? 0x9f : 0xbf;
    return continues(i + 1, low, high) && continues(i + 2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    unsigned char low = first == 0xf0 ? 0x90 : 0x80, high = first == 0xf4 ? 0x8f : 0xbf;
    return continues(i + 1, low, high) && continues(i + 2) && continues(i + 3) ? 4 : 0;
  }
  return 0;
}

constexpr char kHex[] = "0123456789abcdef";

// Bytes that are copied as they are.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = 0x20; c < 0x80; ++c) plain[static_cast<std::size_t>(c)] = c != '"' && c != '\\';
  return plain;
}();

// How many of the first bytes are plain for certain, in steps of eight: a byte that is not has its
// highest bit set in one of the four terms. (Terms may be set above such a byte, too.)
std::size_t plain_steps(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHighs = kOnes * 0x80;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    const std::uint64_t quote = word ^ (kOnes * '"'), backslash = word ^ (kOnes * '\\');
    const std::uint64_t special =
        (word - kOnes * 0x20) | (quote - kOnes) | (backslash - kOnes) | word;
    if ((special & kHighs) != 0) break;
  }
  return i;
}

void append_escape(char c, std::string& out) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default:
      out += "\\u00";
      out += kHex[(c >> 4) & 15];
      out += kHex[c & 15];
  }
}

void append_double(double value, std::string& out) {
  if (!std::isfinite(value)) {  // JSON has no such number; Go refuses to write one
    out += "null";
    return;
  }
  char buffer[40];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, end);
}

class Writer {
 public:
  Writer(std::string& out, int indent) : out_(out), indent_(indent) {}

  void write(const Json& value, int depth) {
    if (value.is_object()) return write_object(value, depth);
    if (value.is_array()) return write_array(value, depth);
    if (value.is_string()) return write_json_string(value.as_string(), out_);
    if (value.is_bool()) {
      out_ += value.as_bool() ? "true" : "false";
    } else if (value.is_int()) {
      char buffer[24];
      auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value.as_int());
      out_.append(buffer, end);
    } else if (value.is_double()) {
      append_double(value.as_double(), out_);
    } else {
      out_ += "null";
    }
  }

 private:
  void write_object(const Json& value, int depth) {
    out_ += '{';
    bool first = true;
    for (const auto& member : value.members()) {
      separate(first, depth + 1);
      first = false;
      write_json_string(member.key, out_);
      out_ += indent_ > 0 ? ": " : ":";
      write(member.value, depth + 1);
    }
    if (!first) line(depth);
    out_ += '}';
  }
  void write_array(const Json& value, int depth) {
    out_ += '[';
    bool first = true;
    for (const auto& item : value.items()) {
      separate(first, depth + 1);
      first = false;
      write(item, depth + 1);
    }
    if (!first) line(depth);
    out_ += ']';
  }
  void separate(bool first, int depth) {
    if (!first) out_ += ',';
    line(depth);
  }
  void line(int depth) {
    if (indent_ == 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(indent_ * depth), ' ');
  }

  std::string& out_;
  const int indent_;
};

}  // namespace

void write_json_string(std::string_view text, std::string& out) {
  out += '"';
  std::size_t i = 0;
  while (i < text.size()) {
    std::size_t start = i;
    i += plain_steps(text.substr(i));
    while (i < text.size() && kPlain[static_cast<unsigned char>(text[i])]) ++i;
    out.append(text, start, i - start);
    if (i == text.size()) break;
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      append_escape(text[i++], out);
    } else if (std::size_t length = utf8_length(text, i); length > 0) {
      out.append(text, i, length);
      i += length;
    } else {
      out += "\xef\xbf\xbd";
      ++i;
    }
  }
  out += '"';
}

void write_json(const Json& value, std::string& out) { Writer(out, 0).write(value, 0); }

std::string write_json(const Json& value) {
  std::string out;
  write_json(value, out);
  return out;
}

std::string write_json_pretty(const Json& value, int indent) {
  std::string out;
  Writer(out, indent).write(value, 0);
  return out;
}

}  // namespace skiff::codec
