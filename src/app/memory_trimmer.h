// Gives what large answers needed back to the kernel. What is free stands in the heaps of many
// threads between what lives, where the allocator keeps it.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/executor.h>

#include <functional>
#include <mutex>

namespace skiff::app {

// Calls `trim` on an executor, once some seconds after the last answer and meanwhile at most as
// often. Has a timer only then. Destroyed on the loop of the timers, or when that does not run any
// more.
class MemoryTrimmer {
 public:
  MemoryTrimmer(base::Timers& timers, base::Executor& executor, std::function<void()> trim);
  ~MemoryTrimmer();
  MemoryTrimmer(const MemoryTrimmer&) = delete;
  MemoryTrimmer& operator=(const MemoryTrimmer&) = delete;

  // A large answer is over. Thread-safe.
  void note();

 private:
  void on_timer();

  base::Timers& timers_;
  base::Executor& executor_;
  const std::function<void()> trim_;
  std::mutex mutex_;
  base::TimerId timer_ = 0;
  bool noted_again_ = false;  // since the timer runs
};

}  // namespace skiff::app
