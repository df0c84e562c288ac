#include "codec/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace skiff::codec {

namespace {

constexpr std::string_view kNulls[] = {"", "~", "null", "Null", "NULL"};
constexpr std::string_view kTrues[] = {"y",    "Y",    "yes", "Yes", "YES", "true",
                                       "True", "TRUE", "on",  "On",  "ON"};
constexpr std::string_view kFalses[] = {"n",     "N",     "no",  "No",  "NO", "false",
                                        "False", "FALSE", "off", "Off", "OFF"};

template <std::size_t N>
bool one_of(const std::string_view (&words)[N], std::string_view text) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

std::optional<Json> integer(std::string_view digits, bool negative, int radix) {
  std::uint64_t magnitude = 0;
  auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, radix);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size())
    return std::nullopt;
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (magnitude > kMax + (negative ? 1 : 0))
    return Json(negative ? -static_cast<double>(magnitude) : static_cast<double>(magnitude));
  return Json(static_cast<long long>(negative ? 0 - magnitude : magnitude));
}

std::optional<Json> number(std::string_view text) {
  std::string plain;
  for (char c : text)
    if (c != '_') plain += c;
  std::string_view rest(plain);
  bool negative = !rest.empty() && rest[0] == '-';
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) rest.remove_prefix(1);
  if (rest.empty() || !((rest[0] >= '0' && rest[0] <= '9') || rest[0] == '.')) return std::nullopt;
  if (rest.size() > 2 && rest[0] == '0') {
    int radix = rest[1] == 'x' ? 16 : rest[1] == 'b' ? 2 : rest[1] == 'o' ? 8 : 0;
    if (radix != 0) return integer(rest.substr(2), negative, radix);
  }
  if (rest.size() > 1 && rest[0] == '0')
    if (auto octal = integer(rest.substr(1), negative, 8)) return octal;
  if (auto decimal = integer(rest, negative, 10)) return decimal;
  double value = 0;
  auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error != std::errc() || end != rest.data() + rest.size()) return std::nullopt;
  if (rest.find_first_not_of("0123456789.eE+-") != rest.npos) return std::nullopt;
  return Json(negative ? -value : value);
}

}  // namespace

Json resolve_plain_scalar(std::string_view text) {
  if (one_of(kNulls, text)) return Json();
  if (one_of(kTrues, text)) return Json(true);
  if (one_of(kFalses, text)) return Json(false);
  if (auto value = number(text)) return *value;
  return Json(text);
}

}  // namespace skiff::codec
