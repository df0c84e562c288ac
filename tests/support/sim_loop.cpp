#include "support/sim_loop.h"

namespace skiff::test {

SimLoop::SimLoop(base::WallTime start) : now_(start), monotonic_{1'000'000'000} {}

void SimLoop::post(base::Job job) { jobs_.push_back(std::move(job)); }

base::TimerId SimLoop::start_timer(base::Duration delay, base::UniqueFunction<void()> callback) {
  base::TimerId id = next_timer_++;
  std::int64_t due = monotonic_.ns + (delay.count() > 0 ? delay.count() : 0);
  timers_.emplace(std::pair(due, id), std::move(callback));
  timer_due_.emplace(id, due);
  return id;
}

void SimLoop::cancel_timer(base::TimerId id) {
  auto found = timer_due_.find(id);
  if (found == timer_due_.end()) return;
  auto timer = timers_.extract(std::pair(found->second, id));
  timer_due_.erase(found);
}

class SimLoop::Hook final : public loop::TurnHook {
 public:
  Hook(SimLoop& loop, std::uint64_t number) : loop_(loop), number_(number) {}
  ~Hook() override { loop_.hooks_.erase(number_); }

 private:
  SimLoop& loop_;
  const std::uint64_t number_;
};

std::unique_ptr<loop::TurnHook> SimLoop::at_end_of_turn(base::UniqueFunction<void()> hook) {
  const auto number = next_hook_++;
  hooks_.emplace(number, std::make_shared<base::UniqueFunction<void()>>(std::move(hook)));
  return std::make_unique<Hook>(*this, number);
}

void SimLoop::end_turn() {
  if (!jobs_.empty() || hooks_.empty()) return;
  base::Executor::Scope scope(this);
  auto hooks = hooks_;
  for (const auto& [number, hook] : hooks)
    if (hooks_.count(number) != 0) (*hook)();
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
    end_turn();
  }
}

bool SimLoop::step() {
  if (!jobs_.empty()) {
    base::Job job = std::move(jobs_.front());
    jobs_.pop_front();
    run_job(std::move(job));
    end_turn();
    return true;
  }
  if (timers_.empty()) return false;
  auto node = timers_.extract(timers_.begin());
  timer_due_.erase(node.key().second);
  std::int64_t forward = node.key().first - monotonic_.ns;
  if (forward > 0) {
    monotonic_.ns += forward;
    now_.unix_ns += forward;
  }
  run_job(std::move(node.mapped()));
  end_turn();
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
