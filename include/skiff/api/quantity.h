// resource.Quantity: decimal numbers with SI and binary suffixes.
#pragma once

#include <skiff/base/result.h>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace skiff::api {

// Exact to nano units within ±9.2e18 whole units; beyond that values saturate, as upstream does.
class Quantity {
 public:
  Quantity() = default;
  static base::Result<Quantity> parse(std::string_view text);
  static Quantity from_units(std::int64_t value);
  static Quantity from_milli(std::int64_t value);
  std::int64_t value() const;        // rounded up to whole units
  std::int64_t milli_value() const;  // rounded up
  std::strong_ordering operator<=>(const Quantity& other) const;
  bool operator==(const Quantity& other) const;
  Quantity operator+(const Quantity& other) const;
  Quantity operator-(const Quantity& other) const;
  // Canonical text ("500m", "1Gi", "1500m"), as upstream writes it.
  std::string to_string() const;

 private:
  __int128 nano_ = 0;
  enum class Format : unsigned char { decimal_si, binary_si, decimal_exponent };
  Format format_ = Format::decimal_si;
};

}  // namespace skiff::api
