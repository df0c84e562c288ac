#include <skiff/api/quantity.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace skiff::api {

namespace {

using Int128 = __int128;

constexpr Int128 kNanoPerUnit = 1'000'000'000;
constexpr Int128 kUnitsMax = INT64_MAX;
constexpr Int128 kNanoMax = kUnitsMax * kNanoPerUnit;
// Fractions are read to this many digits; a digit beyond rounds up, as every digit beyond nano
// does.
constexpr std::size_t kFractionDigitsMax = 60;
constexpr std::int64_t kExponentMax = 1'000'000'000;

constexpr std::string_view kFormatWrong =
    "quantities must match the regular expression "
    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
constexpr std::string_view kNumericWrong = "unable to parse numeric part of quantity";
constexpr std::string_view kSuffixWrong = "unable to parse quantity's suffix";

struct Suffix {
  std::string_view text;
  int base;
  int exponent;
};
constexpr std::array kSuffixes = {
    Suffix{"n", 10, -9}, Suffix{"u", 10, -6}, Suffix{"m", 10, -3}, Suffix{"", 10, 0},
    Suffix{"k", 10, 3},  Suffix{"M", 10, 6},  Suffix{"G", 10, 9},  Suffix{"T", 10, 12},
    Suffix{"P", 10, 15}, Suffix{"E", 10, 18}, Suffix{"Ki", 2, 10}, Suffix{"Mi", 2, 20},
    Suffix{"Gi", 2, 30}, Suffix{"Ti", 2, 40}, Suffix{"Pi", 2, 50}, Suffix{"Ei", 2, 60},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct Parts {
  bool negative = false;
  std::string_view whole, fraction, suffix;
  bool dot_without_digits = false;
};

std::string_view take_digits(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && is_digit(text[end])) ++end;
  std::string_view digits = text.substr(0, end);
  text.remove_prefix(end);
  return digits;
}

// False when the text is not of the form at all.
bool split_parts(std::string_view text, Parts& parts) {
  if (text.empty()) return false;
  if (text[0] == '-' || text[0] == '+') {
    parts.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  parts.whole = take_digits(text);
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    parts.fraction = take_digits(text);
    parts.dot_without_digits = parts.whole.empty() && parts.fraction.empty();
  }
  parts.suffix = text;
  std::size_t end = 0;
  while (end < text.size() &&
         std::string_view("eEinumkKMGTP").find(text[end]) != std::string_view::npos)
    ++end;
  if (end < text.size() && (text[end] == '-' || text[end] == '+')) ++end;
  while (end < text.size() && is_digit(text[end])) ++end;
  while (parts.whole.size() > 0 && parts.whole[0] == '0') parts.whole.remove_prefix(1);
  return end == text.size();
}

struct Scale {
  int base = 10;
  std::int64_t exponent = 0;
  bool written_as_exponent = false;
};

bool read_suffix(std::string_view suffix, Scale& scale) {
  for (const auto& known : kSuffixes) {
    if (known.text != suffix) continue;
    scale = {known.base, known.exponent, false};
    return true;
  }
  if (suffix.size() < 2 || (suffix[0] != 'e' && suffix[0] != 'E')) return false;
  std::string_view digits = suffix.substr(1);
  bool negative = digits[0] == '-';
  if (digits[0] == '-' || digits[0] == '+') digits.remove_prefix(1);
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) return false;
  std::int64_t exponent = 0;
  for (char c : digits) exponent = std::min(kExponentMax, exponent * 10 + (c - '0'));
  scale = {10, negative ? -exponent : exponent, true};
  return true;
}

// The magnitude in nano units: what is smaller than one nano rounds up, what is too large
// saturates.
Int128 decimal_nano(std::string_view whole, std::string_view fraction, std::int64_t exponent) {
  auto digit_at = [&](std::size_t i) -> int {
    return (i < whole.size() ? whole[i] : fraction[i - whole.size()]) - '0';
  };
  const std::size_t digits = whole.size() + fraction.size();
  // The number of digits that stand before the nano point.
  const std::int64_t kept = static_cast<std::int64_t>(whole.size()) + exponent + 9;
  Int128 nano = 0;
  bool rest = false;
  for (std::size_t i = 0; i < digits; ++i) {
    if (static_cast<std::int64_t>(i) < kept) {
      nano = nano * 10 + digit_at(i);
      if (nano > kNanoMax) return kNanoMax;
    } else if (digit_at(i) != 0) {
      rest = true;
      break;
    }
  }
  for (std::int64_t i = static_cast<std::int64_t>(digits); i < kept && nano != 0; ++i) {
    nano *= 10;
    if (nano > kNanoMax) return kNanoMax;
  }
  return std::min(kNanoMax, nano + (rest ? 1 : 0));
}

// whole.fraction × 2^exponent, doubled digit by digit so that no fraction is lost.
Int128 binary_nano(std::string_view whole, std::string_view fraction, std::int64_t exponent) {
  if (whole.size() > 19) return kNanoMax;
  bool rest = fraction.size() > kFractionDigitsMax &&
              fraction.find_first_not_of('0', kFractionDigitsMax) != std::string_view::npos;
  fraction = fraction.substr(0, kFractionDigitsMax);
  std::string digits(20, '0');  // room for 2^60 in front
  digits.append(whole).append(fraction);
  for (std::int64_t i = 0; i < exponent; ++i) {
    int carry = 0;
    for (std::size_t k = digits.size(); k-- > 0;) {
      int doubled = (digits[k] - '0') * 2 + carry;
      digits[k] = static_cast<char>('0' + doubled % 10);
      carry = doubled / 10;
    }
  }
  std::string_view all = digits;
  std::string_view number = all.substr(0, all.size() - fraction.size());
  Int128 nano = decimal_nano(number, all.substr(number.size()), 0);
  return rest && nano % kNanoPerUnit == 0 ? std::min(kNanoMax, nano + 1) : nano;
}

Int128 saturate(Int128 nano) { return std::clamp(nano, -kNanoMax, kNanoMax); }

std::string decimal_text(Int128 value) {
  bool negative = value < 0;
  if (negative) value = -value;
  std::string text;
  do {
    text += static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  } while (value != 0);
  if (negative) text += '-';
  std::reverse(text.begin(), text.end());
  return text;
}

std::string_view suffix_of(int base, int exponent) {
  for (const auto& suffix : kSuffixes)
    if (suffix.base == base && suffix.exponent == exponent) return suffix.text;
  return {};
}

// Divided by `unit`, rounded away from zero, limited to 64 bits.
std::int64_t rounded(Int128 nano, Int128 unit) {
  Int128 quotient = nano / unit;
  if (nano % unit != 0) quotient += nano < 0 ? -1 : 1;
  return static_cast<std::int64_t>(std::clamp<Int128>(quotient, -kUnitsMax, kUnitsMax));
}

}  // namespace

base::Result<Quantity> Quantity::parse(std::string_view text) {
  Parts parts;
  if (!split_parts(text, parts)) return base::invalid_argument(std::string(kFormatWrong));
  Scale scale;
  if (!read_suffix(parts.suffix, scale)) return base::invalid_argument(std::string(kSuffixWrong));
  if (parts.dot_without_digits) return base::invalid_argument(std::string(kNumericWrong));
  Quantity quantity;
  if (scale.written_as_exponent) quantity.format_ = Format::decimal_exponent;
  Int128 nano;
  if (scale.base == 10) {
    nano = decimal_nano(parts.whole, parts.fraction, scale.exponent);
  } else {
    nano = binary_nano(parts.whole, parts.fraction, scale.exponent);
    quantity.format_ = nano > 0 && nano < kNanoPerUnit ? Format::decimal_si : Format::binary_si;
  }
  quantity.nano_ = parts.negative ? -nano : nano;
  return quantity;
}

Quantity Quantity::from_units(std::int64_t value) {
  Quantity quantity;
  quantity.nano_ = saturate(Int128(value) * kNanoPerUnit);
  return quantity;
}

Quantity Quantity::from_milli(std::int64_t value) {
  Quantity quantity;
  quantity.nano_ = Int128(value) * (kNanoPerUnit / 1000);
  return quantity;
}

std::int64_t Quantity::value() const { return rounded(nano_, kNanoPerUnit); }
std::int64_t Quantity::milli_value() const { return rounded(nano_, kNanoPerUnit / 1000); }

std::strong_ordering Quantity::operator<=>(const Quantity& other) const {
  if (nano_ < other.nano_) return std::strong_ordering::less;
  return nano_ > other.nano_ ? std::strong_ordering::greater : std::strong_ordering::equal;
}
bool Quantity::operator==(const Quantity& other) const { return nano_ == other.nano_; }

Quantity Quantity::operator+(const Quantity& other) const {
  Quantity sum = *this;
  if (nano_ == 0) sum.format_ = other.format_;
  sum.nano_ = saturate(nano_ + other.nano_);
  return sum;
}

Quantity Quantity::operator-(const Quantity& other) const {
  Quantity difference = *this;
  if (nano_ == 0) difference.format_ = other.format_;
  difference.nano_ = saturate(nano_ - other.nano_);
  return difference;
}

std::string Quantity::to_string() const {
  if (nano_ == 0) return "0";
  Format format = format_;
  if (format == Format::binary_si) {
    const bool small = nano_ > -1024 * kNanoPerUnit && nano_ < 1024 * kNanoPerUnit;
    if (small || nano_ % kNanoPerUnit != 0) format = Format::decimal_si;
  }
  if (format == Format::binary_si) {
    Int128 number = nano_ / kNanoPerUnit;
    int exponent = 0;
    while (number % 1024 == 0) {
      number /= 1024;
      exponent += 10;
    }
    return decimal_text(number).append(suffix_of(2, exponent));
  }
  Int128 number = nano_;
  int exponent = -9;
  while (number % 1000 == 0) {
    number /= 1000;
    exponent += 3;
  }
  std::string text = decimal_text(number);
  if (format == Format::decimal_si) return text.append(suffix_of(10, exponent));
  return exponent == 0 ? text : text.append("e").append(std::to_string(exponent));
}

}  // namespace skiff::api
