#include "support/sim_loop.h"

namespace skiff::test {

SimLoop::SimLoop(base::WallTime start) : now_(start), monotonic_{1'000'000'000} {}

void SimLoop::post(base::Job job) { jobs_.push_back(std::move(job)); }

base::TimerId SimLoop::start_timer(base::Duration delay, base::UniqueFunction<void()> callback) {
  base::TimerId id = next_timer_++;
  std::int64_t due = monotonic_.ns + (delay.count() > 0 ? delay.count() : 0);
  timers_.emplace(std::pair(due, id), std::move(callback));
  return id;
}

void SimLoop::cancel_timer(base::TimerId id) {
  for (auto it = timers_.begin(); it != timers_.end(); ++it) {
    if (it->first.second != id) continue;
    timers_.erase(it);
    return;
  }
}

void SimLoop::run_job(base::Job job) {
  base::Executor::Scope scope(this);
  job();
}

void SimLoop::run_ready() {
  while (!jobs_.empty()) {
    base::Job job = std::move(jobs_.front());
    jobs_.pop_front();
    run_job(std::move(job));
  }
}

bool SimLoop::step() {
  if (!jobs_.empty()) {
    base::Job job = std::move(jobs_.front());
    jobs_.pop_front();
    run_job(std::move(job));
    return true;
  }
  if (timers_.empty()) return false;
  auto node = timers_.extract(timers_.begin());
  std::int64_t forward = node.key().first - monotonic_.ns;
  if (forward > 0) {
    monotonic_.ns += forward;
    now_.unix_ns += forward;
  }
  run_job(std::move(node.mapped()));
  return true;
}

void SimLoop::advance(base::Duration duration) {
  std::int64_t target = monotonic_.ns + duration.count();
  for (;;) {
    run_ready();
    if (timers_.empty() || timers_.begin()->first.first > target) break;
    step();
  }
  now_.unix_ns += target - monotonic_.ns;
  monotonic_.ns = target;
}

void SimLoop::run(base::Task<void> task) {
  bool done = false;
  auto mark = [](base::Task<void> inner, bool* flag) -> base::Task<void> {
    co_await inner;
    *flag = true;
  };
  base::spawn_detached(*this, mark(std::move(task), &done));
  while (!done) SKIFF_ASSERT(step());
}

}  // namespace skiff::test
