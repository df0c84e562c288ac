#include "api/table_format.h"

#include <skiff/base/strings.h>

namespace skiff::api {

namespace {

// "5m" or "5m10s": the smaller unit is left out when it is zero.
std::string two_units(std::int64_t large, char large_unit, std::int64_t small, char small_unit) {
  if (small == 0) return base::concat(large, large_unit);
  return base::concat(large, large_unit, small, small_unit);
}

}  // namespace

std::string human_duration(base::Duration duration) {
  const std::int64_t seconds = duration.count() / 1'000'000'000;
  // Clocks of two machines may differ by a second.
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return base::concat(seconds, "s");
  const std::int64_t minutes = seconds / 60;
  if (minutes < 10) return two_units(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return base::concat(minutes, "m");
  const std::int64_t hours = minutes / 60;
  if (hours < 8) return two_units(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return base::concat(hours, "h");
  const std::int64_t days = hours / 24;
  if (hours < 24 * 8) return two_units(days, 'd', hours % 24, 'h');
  if (hours < 24 * 365 * 2) return base::concat(days, "d");
  if (hours < 24 * 365 * 8) return two_units(days / 365, 'y', days % 365, 'd');
  return base::concat(days / 365, "y");
}

std::string age_since(const codec::Json& timestamp, base::WallTime now) {
  if (!timestamp.is_string()) return "<unknown>";
  auto time = base::parse_rfc3339(timestamp.as_string());
  if (!time) return "<unknown>";
  return human_duration(now - *time);
}

std::string or_none(std::string_view text) { return std::string(text.empty() ? "<none>" : text); }

}  // namespace skiff::api
