// Where work runs. A coroutine always resumes on the executor that it suspended on.
#pragma once

#include <skiff/base/function.h>

#include <coroutine>

namespace skiff::base {

using Job = UniqueFunction<void()>;

// Thread-safe. Jobs posted to one executor start in the order of posting; an executor of several
// threads may run them at the same time.
class Executor {
 public:
  virtual ~Executor() = default;

  // Never runs the job before returning. A job posted after the executor stopped is destroyed.
  virtual void post(Job job) = 0;

  // The executor whose job is running on this thread; null outside of one.
  static Executor* current() noexcept;

  // Implementations wrap the running of jobs in a Scope.
  class Scope {
   public:
    explicit Scope(Executor* executor) noexcept;
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Executor* previous_;
  };
};

// co_await switch_to(executor): the rest of the coroutine runs there.
struct SwitchTo {
  Executor& executor;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) const {
    executor.post([handle] { handle.resume(); });
  }
  void await_resume() const noexcept {}
};
inline SwitchTo switch_to(Executor& executor) { return SwitchTo{executor}; }

// co_await yield(): lets the other jobs of the current executor run first.
inline SwitchTo yield() {
  SKIFF_ASSERT(Executor::current() != nullptr);
  return SwitchTo{*Executor::current()};
}

}  // namespace skiff::base
