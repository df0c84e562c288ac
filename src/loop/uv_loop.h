// The libuv loop behind the contract; private to this module.
#pragma once

#include <skiff/loop/loop.h>

#include <uv.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace skiff::loop {

struct TurnHookState;

class UvLoop final : public Loop {
 public:
  explicit UvLoop(std::string name) : name_(std::move(name)) {}
  ~UvLoop() override;
  base::Status open();

  void post(base::Job job) override;
  const base::Clock& clock() const override { return real_clock(); }
  base::TimerId start_timer(base::Duration delay, base::UniqueFunction<void()> callback) override;
  void cancel_timer(base::TimerId id) override;
  void run() override;
  void stop() override;
  base::Result<std::unique_ptr<FdWatch>> watch_fd(int fd, Ready interest,
                                                  FdCallback callback) override;
  bool is_current() const noexcept override { return thread_.load() == std::this_thread::get_id(); }
  std::unique_ptr<TurnHook> at_end_of_turn(base::UniqueFunction<void()> hook) override;

  uv_loop_t* uv() { return &loop_; }

 private:
  // Loop thread.
  void end_turn();
  void run_jobs();
  void run_turn_hooks();
  void on_timer();
  void arm_timer(std::int64_t due_ns);
  void look_before_sleep();
  // With mutex_ held: whether the caller has to wake the loop once it has let go of the mutex.
  bool must_wake();
  void wake();

  const std::string name_;
  bool is_open_ = false;
  uv_loop_t loop_{};
  uv_async_t wake_{};
  uv_timer_t timer_{};
  uv_prepare_t prepare_{};
  uv_check_t check_{};
  uv_idle_t idle_{};  // active: there are jobs, the next turn only looks at descriptors
  std::atomic<std::thread::id> thread_{};
  std::atomic<bool> stop_ = false;
  std::vector<std::shared_ptr<TurnHookState>> turn_hooks_;  // loop thread

  std::mutex mutex_;
  std::vector<base::Job> jobs_;  // under mutex_
  // Under mutex_: the loop waits for descriptors, or is about to, and does not look at jobs_ and
  // timers_ before it is woken. Otherwise it looks before it waits, and nobody needs to wake it.
  bool is_asleep_ = false;
  std::map<std::pair<std::int64_t, base::TimerId>, base::UniqueFunction<void()>> timers_;  // mutex_
  std::unordered_map<base::TimerId, std::int64_t> timer_due_;                              // mutex_
  base::TimerId next_timer_ = 1;                                                           // mutex_
  std::int64_t armed_for_ns_ = INT64_MAX;  // loop thread
};

}  // namespace skiff::loop
