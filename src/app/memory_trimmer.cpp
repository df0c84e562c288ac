#include "app/memory_trimmer.h"

#include "app/limits.h"

#include <utility>

namespace skiff::app {

MemoryTrimmer::MemoryTrimmer(base::Timers& timers, base::Executor& executor,
                             std::function<void()> trim)
    : timers_(timers), executor_(executor), trim_(std::move(trim)) {}

MemoryTrimmer::~MemoryTrimmer() {
  if (timer_ != 0) timers_.cancel_timer(timer_);
}

void MemoryTrimmer::note() {
  std::lock_guard lock(mutex_);
  if (timer_ != 0)
    noted_again_ = true;
  else
    timer_ = timers_.start_timer(kTrimDelay, [this] { on_timer(); });
}

void MemoryTrimmer::on_timer() {
  {
    std::lock_guard lock(mutex_);
    timer_ = 0;
    if (std::exchange(noted_again_, false))
      timer_ = timers_.start_timer(kTrimDelay, [this] { on_timer(); });
  }
  executor_.post([trim = trim_] { trim(); });
}

}  // namespace skiff::app
