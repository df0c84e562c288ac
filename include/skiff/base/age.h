// How long ago something was, on boards whose clock jumps.
#pragma once

#include <skiff/base/cancel.h>
#include <skiff/base/clock.h>
#include <skiff/base/task.h>

#include <functional>
#include <mutex>
#include <vector>

namespace skiff::base {

// How old something is that was stamped then.
using AgeOf = std::function<Duration(WallTime time)>;

// Tells ages in time that has really passed: a jump of the wall clock makes nothing older or
// younger, neither what was stamped before it nor what was stamped after. What was stamped before
// the meter was made is as old as the clock says. Thread-safe.
class AgeMeter {
 public:
  explicit AgeMeter(const Clock& clock);
  // Negative for times to come.
  Duration age_of(WallTime time);
  // age_of() for planners; the meter outlives it.
  AgeOf reader();
  // A jump is known as well as the clock was looked at before it: here and in age_of().
  void look();

 private:
  // From `wall` on, until the next jump, the clock went evenly.
  struct Stretch {
    WallTime wall;
    MonotonicTime start, seen;
  };
  void look(WallTime wall, MonotonicTime now);

  const Clock& clock_;
  std::mutex mutex_;
  std::vector<Stretch> stretches_;  // oldest first, never empty; under mutex_
};

// Looks twice a minute, until cancelled.
Task<void> keep_looking(AgeMeter& ages, Timers& timers, CancelToken cancel);

}  // namespace skiff::base
