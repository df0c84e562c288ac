// One thread, virtual time: an Executor and Timers for tests. Nothing sleeps.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/clock.h>
#include <skiff/base/executor.h>
#include <skiff/loop/loop.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace skiff::test {

class SimLoop final : public base::Executor, public base::Timers, public base::Clock {
 public:
  explicit SimLoop(base::WallTime start = base::WallTime::from_unix_seconds(1'700'000'000));

  void post(base::Job job) override;
  const base::Clock& clock() const override { return *this; }
  base::TimerId start_timer(base::Duration delay, base::UniqueFunction<void()> callback) override;
  void cancel_timer(base::TimerId id) override;
  base::WallTime now() const override { return now_; }
  base::MonotonicTime monotonic() const override { return monotonic_; }

  // Runs jobs until none is left; time stands still.
  void run_ready();
  // Runs jobs and due timers while time moves forward by `duration`.
  void advance(base::Duration duration);
  // Runs one job, or the next timer (moving time). False when neither exists.
  bool step();
  // The wall clock jumps; monotonic time does not.
  void jump_wall_clock(base::Duration by) { now_ = now_ + by; }
  // Runs `hook` whenever no job is left, before time moves, until what is returned is destroyed.
  std::unique_ptr<loop::TurnHook> at_end_of_turn(base::UniqueFunction<void()> hook);
  bool idle() const { return jobs_.empty() && timers_.empty(); }

  // Runs the loop until the task has ended (moving time as needed) and returns its value.
  // Fails the test when nothing can run any more.
  template <class T>
  T run(base::Task<T> task) {
    std::optional<T> result;
    base::spawn_detached(*this, collect(std::move(task), &result));
    while (!result.has_value()) SKIFF_ASSERT(step());
    return std::move(*result);
  }
  void run(base::Task<void> task);

 private:
  template <class T>
  static base::Task<void> collect(base::Task<T> task, std::optional<T>* result) {
    T value = co_await task;
    result->emplace(std::move(value));
  }
  class Hook;
  void run_job(base::Job job);
  void end_turn();

  std::deque<base::Job> jobs_;
  std::map<std::pair<std::int64_t, base::TimerId>, base::UniqueFunction<void()>> timers_;
  std::unordered_map<base::TimerId, std::int64_t> timer_due_;
  std::map<std::uint64_t, std::shared_ptr<base::UniqueFunction<void()>>> hooks_;
  std::uint64_t next_hook_ = 1;
  base::TimerId next_timer_ = 1;
  base::WallTime now_;
  base::MonotonicTime monotonic_;
};

}  // namespace skiff::test
