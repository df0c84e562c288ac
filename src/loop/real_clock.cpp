#include <skiff/loop/loop.h>

#include <ctime>

namespace skiff::loop {

namespace {

std::int64_t read_clock(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return static_cast<std::int64_t>(ts.tv_sec) * 1'000'000'000 + ts.tv_nsec;
}

class RealClock final : public base::Clock {
 public:
  base::WallTime now() const override { return {read_clock(CLOCK_REALTIME)}; }
  base::MonotonicTime monotonic() const override { return {read_clock(CLOCK_MONOTONIC)}; }
};

}  // namespace

const base::Clock& real_clock() {
  static const RealClock clock;
  return clock;
}

}  // namespace skiff::loop
