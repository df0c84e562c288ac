// What coroutines wait for: a one-shot value, a "look again" signal, a bounded queue, a scope of
// tasks. Waiting never holds a thread. Every waiter resumes on the executor it suspended on.
#pragma once

#include <skiff/base/cancel.h>
#include <skiff/base/executor.h>
#include <skiff/base/status.h>
#include <skiff/base/task.h>

#include <coroutine>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace skiff::base {

namespace detail {

// The waiter's handle and where it resumes; filled by await_suspend.
struct Waiter {
  std::coroutine_handle<> handle;
  Executor* executor = nullptr;
  void resume() {
    SKIFF_ASSERT(executor != nullptr);
    executor->post([h = handle] { h.resume(); });
  }
};
inline Waiter waiter_here(std::coroutine_handle<> handle) {
  SKIFF_ASSERT(Executor::current() != nullptr);
  return Waiter{handle, Executor::current()};
}

template <class T>
struct OneShotState {
  std::mutex mutex;
  std::optional<T> value;
  std::optional<Waiter> waiter;
};

}  // namespace detail

// The receiving end of a OneShot; awaited at most once.
template <class T>
class [[nodiscard]] Future {
 public:
  explicit Future(std::shared_ptr<detail::OneShotState<T>> state) : state_(std::move(state)) {}

  bool await_ready() const {
    std::lock_guard lock(state_->mutex);
    return state_->value.has_value();
  }
  bool await_suspend(std::coroutine_handle<> handle) {
    auto waiter = detail::waiter_here(handle);
    std::lock_guard lock(state_->mutex);
    if (state_->value.has_value()) return false;
    state_->waiter = waiter;
    return true;
  }
  T await_resume() {
    std::lock_guard lock(state_->mutex);
    SKIFF_ASSERT(state_->value.has_value());
    return std::move(*state_->value);
  }

 private:
  std::shared_ptr<detail::OneShotState<T>> state_;
};

// A value that is set once, from any thread, and awaited once. Thread-safe.
// REQUIRES: set() is called before the last copy goes, else the waiter never resumes.
template <class T>
class OneShot {
 public:
  OneShot() : state_(std::make_shared<detail::OneShotState<T>>()) {}

  Future<T> future() const { return Future<T>(state_); }

  // The first call wins; returns whether this was it.
  bool set(T value) const {
    std::optional<detail::Waiter> waiter;
    {
      std::lock_guard lock(state_->mutex);
      if (state_->value.has_value()) return false;
      state_->value.emplace(std::move(value));
      waiter = std::exchange(state_->waiter, std::nullopt);
    }
    if (waiter) waiter->resume();
    return true;
  }

 private:
  std::shared_ptr<detail::OneShotState<T>> state_;
};

// "Look again": notify() wakes the one waiter, or lets the next wait() pass at once. Notifications
// merge. Thread-safe; one waiter at a time.
class Notifier {
 public:
  Notifier();
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  void notify();
  // Returns true when notified, false when cancelled.
  Task<bool> wait(CancelToken cancel);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// A bounded queue with one reader. Thread-safe.
template <class T>
class AsyncQueue {
 public:
  explicit AsyncQueue(std::size_t limit) : limit_(limit) {}

  // False when the queue is full or closed; the value is dropped then.
  bool try_push(T value) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || values_.size() >= limit_) return false;
      values_.push_back(std::move(value));
    }
    notifier_.notify();
    return true;
  }
  // The reader gets what was queued, then nullopt.
  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    notifier_.notify();
  }
  std::size_t size() const {
    std::lock_guard lock(mutex_);
    return values_.size();
  }
  // nullopt when closed and empty, or cancelled.
  Task<std::optional<T>> pop(CancelToken cancel) {
    for (;;) {
      {
        std::lock_guard lock(mutex_);
        if (!values_.empty()) {
          std::optional<T> value(std::move(values_.front()));
          values_.pop_front();
          co_return value;
        }
        if (closed_) co_return std::nullopt;
      }
      bool notified = co_await notifier_.wait(cancel);
      if (!notified) co_return std::nullopt;
    }
  }

 private:
  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::deque<T> values_;
  bool closed_ = false;
  Notifier notifier_;
};

// Limits how many coroutines are inside at a time. Thread-safe. Waiters enter in order.
class AsyncSemaphore {
 public:
  explicit AsyncSemaphore(std::size_t permits);
  Task<void> acquire();
  void release();

 private:
  std::mutex mutex_;
  std::size_t permits_;
  std::deque<detail::Waiter> waiters_;
  friend struct SemaphoreAwaiter;
};

// Owns the tasks that it started. Destroy it only after join() returned.
class TaskScope {
 public:
  explicit TaskScope(Executor& executor);
  ~TaskScope();
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  // Starts the task on the scope's executor. Thread-safe. The task runs even after cancel(); it
  // looks at token() to end early.
  void spawn(Task<void> task);
  CancelToken token() const { return cancel_.token(); }
  void cancel() const { cancel_.cancel(); }
  std::size_t running() const;
  // Returns when every task has ended. One joiner.
  Task<void> join();

 private:
  struct State;
  Executor& executor_;
  CancelSource cancel_;
  std::shared_ptr<State> state_;
};

// Starts a task that nobody owns. Only for the roots of a process and tests: the caller makes sure
// that what the task uses outlives it.
void spawn_detached(Executor& executor, Task<void> task);

}  // namespace skiff::base
