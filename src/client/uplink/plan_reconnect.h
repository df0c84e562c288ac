// Which master is tried next, and after how long. Pure.
#pragma once

#include <skiff/base/clock.h>

#include <cstddef>

namespace skiff::client {

// Every master is tried once without a pause; then comes a wait of random length, from nothing up
// to a quarter of the time that the node has been without a master. So a restart of a master is
// over for its workers soon after it is over, at different moments for each, and a long outage is
// asked about seldom. Thread-compatible.
class ReconnectPlan {
 public:
  struct Next {
    std::size_t master = 0;
    base::Duration wait = base::Duration::zero();
  };
  // REQUIRES: masters > 0.
  ReconnectPlan(std::size_t masters, base::MonotonicTime now)
      : masters_(masters), away_since_(now) {}

  Next first() const { return {}; }
  // The master could not be reached, or its connection was no good. `unit` is random in [0, 1).
  Next after_failure(base::MonotonicTime now, double unit);
  // An established connection has ended. One that lasted is made again with the same master; one
  // that did not counts as a failure, which is never followed at once.
  Next after_loss(base::MonotonicTime now, base::Duration lasted, double unit);
  // Another board with this node's identity has taken its place: two of them must not take turns.
  Next after_displacement(double unit) const;

 private:
  Next wait(base::MonotonicTime now, double unit);
  std::size_t masters_;
  std::size_t master_ = 0;
  std::size_t failures_ = 0;  // since the last wait
  base::MonotonicTime away_since_;
};

}  // namespace skiff::client
