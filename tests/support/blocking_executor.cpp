#include "support/blocking_executor.h"

namespace skiff::test {

void BlockingExecutor::post(base::Job job) {
  // Under the lock: who waits may end this executor as soon as it has the job.
  std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  some_.notify_one();
}

void BlockingExecutor::run_one() {
  base::Job job;
  {
    std::unique_lock lock(mutex_);
    some_.wait(lock, [this] { return !jobs_.empty(); });
    job = std::move(jobs_.front());
    jobs_.pop_front();
  }
  base::Executor::Scope scope(this);
  job();
}

base::TimerId ManualTimers::start_timer(base::Duration delay,
                                        base::UniqueFunction<void()> callback) {
  std::lock_guard lock(mutex_);
  base::TimerId id = next_id_++;
  timers_.emplace(std::pair(ns_ + delay.count(), id), std::move(callback));
  return id;
}

void ManualTimers::cancel_timer(base::TimerId id) {
  std::lock_guard lock(mutex_);
  for (auto at = timers_.begin(); at != timers_.end(); ++at) {
    if (at->first.second != id) continue;
    timers_.erase(at);
    return;
  }
}

base::WallTime ManualTimers::now() const { return {monotonic().ns}; }

base::MonotonicTime ManualTimers::monotonic() const {
  std::lock_guard lock(mutex_);
  return {ns_};
}

void ManualTimers::advance(base::Duration duration) {
  std::unique_lock lock(mutex_);
  std::int64_t target = ns_ + duration.count();
  while (!timers_.empty() && timers_.begin()->first.first <= target) {
    auto node = timers_.extract(timers_.begin());
    ns_ = std::max(ns_, node.key().first);
    lock.unlock();
    node.mapped()();
    lock.lock();
  }
  ns_ = target;
}

std::size_t ManualTimers::waiting() const {
  std::lock_guard lock(mutex_);
  return timers_.size();
}

}  // namespace skiff::test
