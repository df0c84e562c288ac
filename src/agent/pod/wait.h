// Waiting for a notification, but not for ever.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/clock.h>

#include <optional>

namespace skiff::agent {

// Returns when notified or at the deadline (true), or when cancelled (false). Loop-only.
inline base::Task<bool> wait_until(base::Notifier& notifier, base::Timers& timers,
                                   std::optional<base::MonotonicTime> deadline,
                                   base::CancelToken cancel) {
  base::TimerId timer = 0;
  if (deadline)
    timer = timers.start_timer(*deadline - timers.clock().monotonic(),
                               [&notifier] { notifier.notify(); });
  bool go_on = co_await notifier.wait(cancel);
  if (timer != 0) timers.cancel_timer(timer);
  co_return go_on;
}

}  // namespace skiff::agent
