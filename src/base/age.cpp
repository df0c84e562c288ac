#include <skiff/base/age.h>

#include <algorithm>

namespace skiff::base {

namespace {

// Corrections by NTP are no jumps.
constexpr Duration kDriftMax = 5s;
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

Duration AgeMeter::age_of(WallTime time) {
  const WallTime wall = clock_.now();
  const MonotonicTime now = clock_.monotonic();
  std::lock_guard lock(mutex_);
  look(wall, now);
  const Stretch& last = stretches_.back();
  if (time >= last.wall) return wall - time;
  // Of stretches that say the same hour, after a jump back, the youngest counts.
  for (auto it = std::next(stretches_.rbegin()); it != stretches_.rend(); ++it) {
    if (time < it->wall && std::next(it) != stretches_.rend()) continue;
    // A stamp that fits no stretch was made in the jump, after the clock was last looked at.
    const MonotonicTime made = std::min(it->start + (time - it->wall), it->seen);
    return now - made;
  }
  return now - (last.start + (time - last.wall));
}

}  // namespace skiff::base
