// Threads for system calls that block, and for slices of computing. Bounded in threads and queue.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/executor.h>
#include <skiff/base/result.h>

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace skiff::loop {

struct WorkPoolOptions {
  std::string name;             // of the threads, 15 bytes at most
  std::size_t threads_max = 2;  // started on demand, ended after 10 idle seconds unless kept
  bool keep_threads = false;
  std::size_t stack_bytes = 256 * 1024;
};

// An Executor whose jobs run on any of its threads. Thread-safe. The destructor lets queued jobs
// finish and joins the threads.
class WorkPool : public base::Executor {
 public:
  virtual std::size_t queued() const = 0;
};

base::Result<std::unique_ptr<WorkPool>> make_work_pool(WorkPoolOptions options);

namespace detail {
template <class F, class R>
base::Task<R> run_blocking_value(base::Executor& pool, F function) {
  base::OneShot<R> done;
  pool.post([done, function = std::move(function)]() mutable { done.set(function()); });
  co_return co_await done.future();
}
}  // namespace detail

// Runs `function` (which may block) on the pool; the caller resumes on its own executor.
// `function` returns a value (Status or Result<T> as a rule).
template <class F>
auto run_blocking(base::Executor& pool, F function) {
  using R = std::invoke_result_t<F&>;
  static_assert(!std::is_void_v<R>, "return a Status");
  return detail::run_blocking_value<F, R>(pool, std::move(function));
}

}  // namespace skiff::loop
