#include <skiff/codec/base64.h>

#include <array>
#include <cstdint>

namespace skiff::codec {

namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(std::string_view bytes, std::string_view alphabet, bool padded) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::size_t left = bytes.size() - i;
    std::uint32_t group = static_cast<unsigned char>(bytes[i]) << 16;
    if (left > 1) group |= static_cast<unsigned char>(bytes[i + 1]) << 8;
    if (left > 2) group |= static_cast<unsigned char>(bytes[i + 2]);
    std::size_t count = left > 2 ? 4 : left + 1;
    for (std::size_t k = 0; k < count; ++k) out += alphabet[(group >> (18 - 6 * k)) & 63];
    if (padded) out.append(4 - count, '=');
  }
  return out;
}

base::Status bad_text() { return base::invalid_argument("illegal base64 data"); }

base::Result<std::string> decode(std::string_view text, std::string_view alphabet, bool padded) {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);

  std::string out;
  out.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t group = 0;
  std::size_t digits = 0, padding = 0;
  for (char c : text) {
    if (c == '\r' || c == '\n') continue;
    if (c == '=' && padded) {
      ++padding;
      continue;
    }
    std::int8_t value = values[static_cast<unsigned char>(c)];
    if (value < 0 || padding > 0) return bad_text();
    group = (group << 6) | static_cast<std::uint32_t>(value);
    if (++digits % 4 == 0) {
      out += static_cast<char>(group >> 16);
      out += static_cast<char>(group >> 8);
      out += static_cast<char>(group);
      group = 0;
    }
  }
  std::size_t rest = digits % 4;
  if (rest == 1) return bad_text();
  if (padded && padding != (rest == 0 ? 0 : 4 - rest)) return bad_text();
  if (rest == 2) out += static_cast<char>(group >> 4);
  if (rest == 3) {
    out += static_cast<char>(group >> 10);
    out += static_cast<char>(group >> 2);
  }
  return out;
}

}  // namespace

std::string base64_encode(std::string_view bytes) { return encode(bytes, kStandard, true); }
base::Result<std::string> base64_decode(std::string_view text) {
  return decode(text, kStandard, true);
}
std::string base64url_encode(std::string_view bytes) { return encode(bytes, kUrl, false); }
base::Result<std::string> base64url_decode(std::string_view text) {
  return decode(text, kUrl, false);
}

}  // namespace skiff::codec
