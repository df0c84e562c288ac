// Task<T>: a coroutine that starts when it is awaited and gives its value to the one who awaits.
//
// Rules (GCC 12 miscompiles some of the exceptions to them):
//  - a coroutine takes its parameters by value, or references to what outlives it for certain;
//  - a coroutine lambda captures nothing; pass what it needs as parameters;
//  - no braced temporary of an aggregate inside a co_await expression: name it first;
//  - no co_await inside a ternary, a range-for initialiser or a function argument list with other
//    temporaries that own something: name the result first.
// An exception that leaves a coroutine ends the process.
#pragma once

#include <skiff/base/assert.h>

#include <atomic>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace skiff::base {

template <class T>
class Task;

namespace detail {

struct TaskPromiseBase {
  std::coroutine_handle<> continuation;
  // Set by whichever comes first: the awaiting side when it suspends, or the task when it ends.
  // The second of the two continues the awaiting coroutine. No stack grows in a loop of awaits
  // that complete at once, whatever the compiler does about tail calls.
  std::atomic<bool> met = false;

  std::suspend_always initial_suspend() const noexcept { return {}; }
  struct Final {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> handle) const noexcept {
      auto& promise = handle.promise();
      if (promise.met.exchange(true, std::memory_order_acq_rel)) promise.continuation.resume();
    }
    void await_resume() const noexcept {}
  };
  Final final_suspend() const noexcept { return {}; }
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
};

template <class T>
struct TaskPromise : TaskPromiseBase {
  std::optional<T> value;
  Task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
};

}  // namespace detail

// Owns the coroutine; destroying an unfinished Task that is suspended destroys its frame.
template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() noexcept = default;
  explicit Task(Handle handle) noexcept : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> awaiting) noexcept {
    SKIFF_ASSERT(handle_);
    auto& promise = handle_.promise();
    promise.continuation = awaiting;
    handle_.resume();
    return !promise.met.exchange(true, std::memory_order_acq_rel);
  }
  T await_resume() {
    if constexpr (!std::is_void_v<T>) {
      SKIFF_ASSERT(handle_.promise().value.has_value());
      return std::move(*handle_.promise().value);
    }
  }

 private:
  Handle handle_;
};

namespace detail {
template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}
}  // namespace detail

}  // namespace skiff::base
