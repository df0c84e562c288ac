#include <skiff/base/task.h>

#include <skiff/base/async.h>

#include <list>

namespace skiff::base {

struct Notifier::State {
  std::mutex mutex;
  bool notified = false;                 // under mutex
  std::optional<detail::Waiter> waiter;  // under mutex
  bool waiter_cancelled = false;         // under mutex

  void wake(bool by_cancel) {
    std::optional<detail::Waiter> woken;
    {
      std::lock_guard lock(mutex);
      if (!by_cancel) notified = true;
      if (by_cancel) waiter_cancelled = true;
      woken = std::exchange(waiter, std::nullopt);
    }
    if (woken) woken->resume();
  }
};

Notifier::Notifier() : state_(std::make_shared<State>()) {}
Notifier::~Notifier() = default;

void Notifier::notify() { state_->wake(false); }

namespace {

template <class State>
struct NotifierAwaiter {
  State& state;
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> handle) {
    auto waiter = detail::waiter_here(handle);
    std::lock_guard lock(state.mutex);
    if (state.notified || state.waiter_cancelled) return false;
    SKIFF_ASSERT(!state.waiter.has_value());
    state.waiter = waiter;
    return true;
  }
  void await_resume() const noexcept {}
};

}  // namespace

Task<bool> Notifier::wait(CancelToken cancel) {
  auto state = state_;
  {
    std::lock_guard lock(state->mutex);
    state->waiter_cancelled = false;
  }
  CancelCallback on_cancel(cancel, [state] { state->wake(true); });
  NotifierAwaiter<State> awaiter{*state};
  co_await awaiter;
  std::lock_guard lock(state->mutex);
  if (cancel.is_cancelled()) co_return false;
  state->notified = false;
  co_return true;
}

AsyncSemaphore::AsyncSemaphore(std::size_t permits) : permits_(permits) {}

struct SemaphoreAwaiter {
  AsyncSemaphore& semaphore;
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> handle) {
    auto waiter = detail::waiter_here(handle);
    std::lock_guard lock(semaphore.mutex_);
    if (semaphore.permits_ > 0) {
      --semaphore.permits_;
      return false;
    }
    semaphore.waiters_.push_back(waiter);
    return true;
  }
  void await_resume() const noexcept {}
};

Task<void> AsyncSemaphore::acquire() {
  SemaphoreAwaiter awaiter{*this};
  co_await awaiter;
}

void AsyncSemaphore::release() {
  std::optional<detail::Waiter> next;
  {
    std::lock_guard lock(mutex_);
    if (waiters_.empty()) {
      ++permits_;
    } else {
      next = waiters_.front();
      waiters_.pop_front();
    }
  }
  if (next) next->resume();
}

struct TaskScope::State {
  std::mutex mutex;
  std::size_t running = 0;               // under mutex
  std::optional<detail::Waiter> joiner;  // under mutex
};

namespace {

// A coroutine that starts at once and destroys itself at its end.
struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
};

Detached run_detached(Task<void> task, UniqueFunction<void()> at_end) {
  {
    Task<void> owned = std::move(task);
    co_await owned;
  }
  if (at_end) at_end();
}

}  // namespace

TaskScope::TaskScope(Executor& executor) : executor_(executor), state_(std::make_shared<State>()) {}

TaskScope::~TaskScope() { SKIFF_ASSERT(running() == 0); }

void TaskScope::spawn(Task<void> task) {
  {
    std::lock_guard lock(state_->mutex);
    ++state_->running;
  }
  auto at_end = [state = state_] {
    std::optional<detail::Waiter> joiner;
    {
      std::lock_guard lock(state->mutex);
      if (--state->running == 0) joiner = std::exchange(state->joiner, std::nullopt);
    }
    if (joiner) joiner->resume();
  };
  executor_.post([task = std::move(task), at_end = std::move(at_end)]() mutable {
    run_detached(std::move(task), std::move(at_end));
  });
}

std::size_t TaskScope::running() const {
  std::lock_guard lock(state_->mutex);
  return state_->running;
}

namespace {
template <class State>
struct JoinAwaiter {
  State& state;
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> handle) {
    auto waiter = detail::waiter_here(handle);
    std::lock_guard lock(state.mutex);
    if (state.running == 0) return false;
    SKIFF_ASSERT(!state.joiner.has_value());
    state.joiner = waiter;
    return true;
  }
  void await_resume() const noexcept {}
};
}  // namespace

Task<void> TaskScope::join() {
  auto state = state_;
  JoinAwaiter<State> awaiter{*state};
  co_await awaiter;
}

void spawn_detached(Executor& executor, Task<void> task) {
  executor.post([task = std::move(task)]() mutable { run_detached(std::move(task), nullptr); });
}

}  // namespace skiff::base
