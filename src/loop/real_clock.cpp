#include <skiff/loop/time_floor.h>

#include <skiff/loop/loop.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <limits>

namespace skiff::loop {

namespace {

std::int64_t read_clock(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return static_cast<std::int64_t>(ts.tv_sec) * 1'000'000'000 + ts.tv_nsec;
}

constexpr std::int64_t kNoFloor = std::numeric_limits<std::int64_t>::min();
// What the floor is ahead of the monotonic clock.
std::atomic<std::int64_t> floor_ahead_ns{kNoFloor};

class RealClock final : public base::Clock {
 public:
  base::WallTime now() const override {
    const std::int64_t system = read_clock(CLOCK_REALTIME);
    const std::int64_t ahead = floor_ahead_ns.load(std::memory_order_relaxed);
    if (ahead == kNoFloor) return {system};
    return {std::max(system, read_clock(CLOCK_MONOTONIC) + ahead)};
  }
  base::MonotonicTime monotonic() const override { return {read_clock(CLOCK_MONOTONIC)}; }
};

}  // namespace

const base::Clock& real_clock() {
  static const RealClock clock;
  return clock;
}

void raise_time_floor(base::WallTime time) {
  const std::int64_t wanted = time.unix_ns - read_clock(CLOCK_MONOTONIC);
  std::int64_t present = floor_ahead_ns.load(std::memory_order_relaxed);
  while (wanted > present && !floor_ahead_ns.compare_exchange_weak(present, wanted)) {
  }
}

}  // namespace skiff::loop
