// Keys to look at again: merged, rate-limited, one worker per key (client-go's workqueue).
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/clock.h>

#include <memory>
#include <optional>
#include <string>

namespace skiff::client {

// Thread-compatible: one executor.
class WorkQueue {
 public:
  virtual ~WorkQueue() = default;
  virtual void add(std::string key) = 0;
  virtual void add_after(std::string key, base::Duration delay) = 0;
  // After a failure: 5 ms doubling to 1000 s at most, per key.
  virtual void add_rate_limited(std::string key) = 0;
  virtual void forget(const std::string& key) = 0;
  // The next key, or nullopt when cancelled. The key is not given out again before done().
  virtual base::Task<std::optional<std::string>> take(base::CancelToken cancel) = 0;
  virtual void done(const std::string& key) = 0;
  virtual std::size_t size() const = 0;
};
std::unique_ptr<WorkQueue> make_work_queue(base::Timers& timers);

}  // namespace skiff::client
