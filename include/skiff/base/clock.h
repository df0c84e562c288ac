// Time comes only through these interfaces, so that tests and the simulator can own it.
#pragma once

#include <skiff/base/cancel.h>
#include <skiff/base/function.h>
#include <skiff/base/result.h>
#include <skiff/base/task.h>

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace skiff::base {

using Duration = std::chrono::nanoseconds;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""h;

// Calendar time in nanoseconds since 1970 UTC. May jump in both directions.
struct WallTime {
  std::int64_t unix_ns = 0;
  auto operator<=>(const WallTime&) const = default;
  std::int64_t unix_seconds() const { return unix_ns / 1'000'000'000; }
  WallTime operator+(Duration d) const { return {unix_ns + d.count()}; }
  WallTime operator-(Duration d) const { return {unix_ns - d.count()}; }
  Duration operator-(WallTime other) const { return Duration(unix_ns - other.unix_ns); }
  static WallTime from_unix_seconds(std::int64_t s) { return {s * 1'000'000'000}; }
};

// Nanoseconds since an arbitrary start; never goes back. For deadlines and intervals.
struct MonotonicTime {
  std::int64_t ns = 0;
  auto operator<=>(const MonotonicTime&) const = default;
  MonotonicTime operator+(Duration d) const { return {ns + d.count()}; }
  Duration operator-(MonotonicTime other) const { return Duration(ns - other.ns); }
};

// metav1.Time: "2006-01-02T15:04:05Z", seconds, UTC.
std::string format_rfc3339(WallTime time);
// metav1.MicroTime: "2006-01-02T15:04:05.000000Z".
std::string format_rfc3339_micro(WallTime time);
// CRI log lines: nine digits of nanoseconds, "Z".
std::string format_rfc3339_nano(WallTime time);
// Accepts fractions and offsets, as Go's RFC3339 does.
Result<WallTime> parse_rfc3339(std::string_view text);

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;
  virtual MonotonicTime monotonic() const = 0;
};

using TimerId = std::uint64_t;

// Timers of one loop. Thread-safe; callbacks run on the loop's thread as jobs of it.
class Timers {
 public:
  virtual ~Timers() = default;
  virtual const Clock& clock() const = 0;
  // Runs `callback` once after `delay` (at once when negative). Ids are never 0 and never reused.
  virtual TimerId start_timer(Duration delay, UniqueFunction<void()> callback) = 0;
  // On the loop's own thread: the callback will not run after this returns. From another thread it
  // may be running just now. Unknown and finished ids are ignored.
  virtual void cancel_timer(TimerId id) = 0;
};

// Returns true after the delay, false when cancelled before. Resumes where it was awaited.
Task<bool> sleep(Timers& timers, Duration delay, CancelToken cancel);

}  // namespace skiff::base
