// Waiting times that double, with jitter.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/random.h>

namespace skiff::client {

// Thread-compatible.
class Backoff {
 public:
  Backoff(base::Duration min, base::Duration max, base::Random& random)
      : min_(min), max_(max), next_(min), random_(random) {}
  // The time to wait now: the current step ±20 %; the step doubles up to the maximum. A step is not
  // longer than `longest`, and the next one goes on from there.
  base::Duration next(base::Duration longest = base::Duration::max());
  void reset() { next_ = min_; }

 private:
  const base::Duration min_, max_;
  base::Duration next_;
  base::Random& random_;
};

}  // namespace skiff::client
