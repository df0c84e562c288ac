// What goes wrong in a simulated cluster, chosen from a seed.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/random.h>

namespace skiff::sim {

// Read by every part at the moment it acts. All zero: a healthy cluster.
struct Faults {
  double call_fails = 0;    // a request is refused before it reaches the server
  double answer_lost = 0;   // it is carried out, but its answer does not come back
  double commit_fails = 0;  // the disk refuses a write
  base::Duration commit_delay_max{};
};

// Whether something of this probability happens now.
inline bool happens(base::Random& random, double probability) {
  return probability > 0 && random.unit() < probability;
}
inline base::Duration up_to(base::Random& random, base::Duration most) {
  if (most.count() <= 0) return base::Duration(0);
  return base::Duration(
      static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most.count()))));
}

}  // namespace skiff::sim
