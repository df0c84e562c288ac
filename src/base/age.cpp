#include <skiff/base/age.h>

#include <algorithm>

namespace skiff::base {

namespace {

// Corrections by NTP are no jumps.
constexpr Duration kDriftMax = 5s;
constexpr Duration kLookInterval = 30s;
// A clock that jumps more often is not worth more memory: the oldest stretch is forgotten.
constexpr std::size_t kStretchesMax = 16;

}  // namespace

AgeMeter::AgeMeter(const Clock& clock) : clock_(clock) {
  auto now = clock.monotonic();
  stretches_.push_back({clock.now(), now, now});
}

void AgeMeter::look(WallTime wall, MonotonicTime now) {
  Stretch& last = stretches_.back();
  const Duration passed = now - last.start;
  const Duration drift = wall - (last.wall + passed);
  if (drift < kDriftMax && drift > -kDriftMax) {
    last.seen = now;
    return;
  }
  stretches_.push_back({wall, now, now});
  if (stretches_.size() > kStretchesMax) stretches_.erase(stretches_.begin());
}

void AgeMeter::look() {
  const WallTime wall = clock_.now();
  const MonotonicTime now = clock_.monotonic();
  std::lock_guard lock(mutex_);
  look(wall, now);
}

AgeOf AgeMeter::reader() {
  return [this](WallTime time) { return age_of(time); };
}

Task<void> keep_looking(AgeMeter& ages, Timers& timers, CancelToken cancel) {
  for (;;) {
    auto sleeping = sleep(timers, kLookInterval, cancel);
    const bool slept = co_await std::move(sleeping);
    if (!slept) co_return;
    ages.look();
  }
}

// Each stretch is drawn out to where the one before was seen last: that is when the clock jumped,
// as far as anybody knows. Of stretches that say the same hour the youngest counts.
Duration AgeMeter::age_of(WallTime time) {
  const WallTime wall = clock_.now();
  const MonotonicTime now = clock_.monotonic();
  std::lock_guard lock(mutex_);
  look(wall, now);
  for (auto it = stretches_.rbegin(); it != stretches_.rend(); ++it) {
    const auto before = std::next(it);
    const MonotonicTime made = it->start + (time - it->wall);
    const bool is_in_time = before == stretches_.rend() || made >= before->seen;
    if (is_in_time && made <= it->seen) return now - made;
  }
  // A time to come, or one that the clock never said.
  const bool has_jumped = stretches_.size() > 1;
  return time > wall || !has_jumped ? wall - time : now - std::next(stretches_.rbegin())->seen;
}

}  // namespace skiff::base
