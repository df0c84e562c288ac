// An executor whose jobs run on the thread that waits for a task: for tests of parts that have
// threads of their own. And timers that a test moves by hand.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/clock.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>

namespace skiff::test {

// post() is thread-safe; run() is for one thread.
class BlockingExecutor final : public base::Executor {
 public:
  void post(base::Job job) override;

  // Runs jobs until the task has ended; returns its value.
  template <class T>
  T run(base::Task<T> task) {
    std::optional<T> result;
    base::spawn_detached(*this, collect(std::move(task), &result));
    while (!result.has_value()) run_one();
    return std::move(*result);
  }
  // Runs the next job, waiting for it.
  void run_one();

 private:
  template <class T>
  static base::Task<void> collect(base::Task<T> task, std::optional<T>* result) {
    T value = co_await task;
    result->emplace(std::move(value));
  }
  std::mutex mutex_;
  std::condition_variable some_;
  std::deque<base::Job> jobs_;
};

// Thread-safe. Callbacks run on the thread that calls advance().
class ManualTimers final : public base::Timers, public base::Clock {
 public:
  const base::Clock& clock() const override { return *this; }
  base::TimerId start_timer(base::Duration delay, base::UniqueFunction<void()> callback) override;
  void cancel_timer(base::TimerId id) override;
  base::WallTime now() const override;
  base::MonotonicTime monotonic() const override;

  void advance(base::Duration duration);
  std::size_t waiting() const;

 private:
  mutable std::mutex mutex_;
  std::int64_t ns_ = 1'000'000'000;
  base::TimerId next_id_ = 1;
  std::map<std::pair<std::int64_t, base::TimerId>, base::UniqueFunction<void()>> timers_;
};

}  // namespace skiff::test
