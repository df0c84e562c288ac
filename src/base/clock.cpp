#include <skiff/base/async.h>
#include <skiff/base/clock.h>
#include <skiff/base/strings.h>

#include <cstdio>
#include <ctime>

namespace skiff::base {

namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

struct Split {
  std::tm utc;
  std::int64_t nanoseconds;
};

Split split_time(WallTime time) {
  std::int64_t seconds = time.unix_ns / kNanosecondsPerSecond;
  std::int64_t rest = time.unix_ns % kNanosecondsPerSecond;
  if (rest < 0) {
    rest += kNanosecondsPerSecond;
    --seconds;
  }
  Split result{};
  std::time_t t = static_cast<std::time_t>(seconds);
  gmtime_r(&t, &result.utc);
  result.nanoseconds = rest;
  return result;
}

std::string format(WallTime time, int fraction_digits) {
  Split s = split_time(time);
  char buffer[64];
  int n =
      std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02dT%02d:%02d:%02d", s.utc.tm_year + 1900,
                    s.utc.tm_mon + 1, s.utc.tm_mday, s.utc.tm_hour, s.utc.tm_min, s.utc.tm_sec);
  std::string text(buffer, static_cast<std::size_t>(n));
  if (fraction_digits > 0) {
    std::snprintf(buffer, sizeof buffer, ".%09lld", static_cast<long long>(s.nanoseconds));
    text.append(buffer, static_cast<std::size_t>(fraction_digits) + 1);
  }
  text.push_back('Z');
  return text;
}

// Reads exactly `count` digits at `position`; -1 when they are not there.
int digits(std::string_view text, std::size_t position, std::size_t count) {
  if (position + count > text.size()) return -1;
  int value = 0;
  for (std::size_t i = position; i < position + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// Days since 1970-01-01 of a proleptic Gregorian date (H. Hinnant's civil-days formula).
std::int64_t days_from_civil(int year, int month, int day) {
  std::int64_t y = year - (month <= 2 ? 1 : 0);
  std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  std::int64_t year_of_era = y - era * 400;
  std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

int days_in_month(int year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

}  // namespace

std::string format_rfc3339(WallTime time) { return format(time, 0); }
std::string format_rfc3339_micro(WallTime time) { return format(time, 6); }
std::string format_rfc3339_nano(WallTime time) { return format(time, 9); }

Result<WallTime> parse_rfc3339(std::string_view text) {
  auto bad = [&] { return invalid_argument(concat("not an RFC 3339 time: ", quote(text))); };
  int year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  int hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':')
    return bad();
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
      hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
    return bad();
  std::size_t position = 19;
  std::int64_t nanoseconds = 0;
  if (text[position] == '.') {
    std::int64_t scale = kNanosecondsPerSecond / 10;
    std::size_t start = ++position;
    while (position < text.size() && text[position] >= '0' && text[position] <= '9') {
      nanoseconds += (text[position] - '0') * scale;
      scale /= 10;
      ++position;
    }
    if (position == start) return bad();
  }
  std::int64_t offset_seconds = 0;
  std::string_view zone = text.substr(position);
  if (zone != "Z") {
    int offset_hour = digits(zone, 1, 2), offset_minute = digits(zone, 4, 2);
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' ||
        offset_hour < 0 || offset_hour > 23 || offset_minute < 0 || offset_minute > 59)
      return bad();
    offset_seconds = (offset_hour * 60 + offset_minute) * 60 * (zone[0] == '-' ? -1 : 1);
  }
  std::int64_t seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 +
                         second - offset_seconds;
  std::int64_t total = 0;
  if (__builtin_mul_overflow(seconds, kNanosecondsPerSecond, &total) ||
      __builtin_add_overflow(total, nanoseconds, &total))
    return bad();
  return WallTime{total};
}

Task<bool> sleep(Timers& timers, Duration delay, CancelToken cancel) {
  OneShot<bool> done;
  TimerId id = timers.start_timer(delay, [done] { done.set(true); });
  CancelCallback on_cancel(cancel, [done] { done.set(false); });
  bool elapsed = co_await done.future();
  if (!elapsed) timers.cancel_timer(id);
  co_return elapsed;
}

}  // namespace skiff::base
