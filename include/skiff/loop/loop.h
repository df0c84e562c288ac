// An event loop on one thread: jobs, timers, descriptors. Built on libuv; nothing of it shows.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/executor.h>
#include <skiff/base/result.h>

#include <memory>
#include <string>

namespace skiff::loop {

enum class Ready : unsigned char { none = 0, readable = 1, writable = 2, both = 3 };

constexpr bool is_readable(Ready r) { return (static_cast<int>(r) & 1) != 0; }
constexpr bool is_writable(Ready r) { return (static_cast<int>(r) & 2) != 0; }

// Watches one descriptor that the caller owns and keeps open. Loop-only; stops when destroyed, and
// its callback may destroy it.
class FdWatch {
 public:
  virtual ~FdWatch() = default;
  // What to wait for from now on; none pauses. Errors and hang-ups are reported as `both`.
  virtual void set_interest(Ready interest) = 0;
};
using FdCallback = base::UniqueFunction<void(Ready ready)>;

// Keeps an end-of-turn hook in place; the hook may destroy it. Loop-only.
class TurnHook {
 public:
  virtual ~TurnHook() = default;
};

// post() and the timers are thread-safe; everything else is loop-only or before run().
class Loop : public base::Executor, public base::Timers {
 public:
  // Runs on the calling thread until stop(); then destroys jobs that have not run.
  virtual void run() = 0;
  // Thread-safe. run() returns after the current turn.
  virtual void stop() = 0;
  // Loop-only (or before run()).
  virtual base::Result<std::unique_ptr<FdWatch>> watch_fd(int fd, Ready interest,
                                                          FdCallback callback) = 0;
  // True on the loop's own thread while it runs.
  virtual bool is_current() const noexcept = 0;
  // Runs `hook` once at the end of every turn, before the loop blocks (batched hand-over, merged
  // writes), until what is returned is destroyed. Loop-only; must go before the loop.
  virtual std::unique_ptr<TurnHook> at_end_of_turn(base::UniqueFunction<void()> hook) = 0;
};

// `name` names the thread that calls run() (15 bytes at most); empty leaves its name.
base::Result<std::unique_ptr<Loop>> make_loop(std::string name);

// The system's clocks. Thread-safe, static storage.
const base::Clock& real_clock();

// co_await readiness once: true when ready, false when cancelled. Loop-only.
base::Task<base::Result<bool>> wait_fd(Loop& loop, int fd, Ready interest,
                                       base::CancelToken cancel);

}  // namespace skiff::loop
