#include "loop/uv_loop.h"

#include <skiff/base/async.h>
#include <skiff/base/strings.h>

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace skiff::loop {

namespace {
base::Status uv_status(int error, std::string_view what) {
  return base::errno_status(-error, what);
}
}  // namespace

base::Status UvLoop::open() {
  if (int error = uv_loop_init(&loop_); error != 0) return uv_status(error, "start an event loop");
  is_open_ = true;
  loop_.data = this;
  // Waking ends the wait, nothing more: end_turn() looks at what there is to do.
  uv_async_init(&loop_, &wake_, [](uv_async_t*) {});
  uv_timer_init(&loop_, &timer_);
  uv_prepare_init(&loop_, &prepare_);
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) {
    static_cast<UvLoop*>(handle->loop->data)->end_turn();
  });
  uv_check_init(&loop_, &check_);
  uv_check_start(&check_, [](uv_check_t* handle) {
    auto* self = static_cast<UvLoop*>(handle->loop->data);
    std::lock_guard lock(self->mutex_);
    self->is_asleep_ = false;
  });
  uv_idle_init(&loop_, &idle_);
  return base::Status::ok();
}

UvLoop::~UvLoop() {
  if (!is_open_) return;
  {
    // Destroying a job may destroy handles of this loop, so it happens before the loop goes.
    std::vector<base::Job> jobs;
    std::unique_lock lock(mutex_);
    jobs.swap(jobs_);
    auto timers = std::move(timers_);
    timers_.clear();
    lock.unlock();
  }
  uv_walk(
      &loop_,
      [](uv_handle_t* handle, void*) {
        if (!uv_is_closing(handle)) uv_close(handle, nullptr);
      },
      nullptr);
  uv_run(&loop_, UV_RUN_DEFAULT);
  uv_loop_close(&loop_);
}

struct TurnHookState {
  base::UniqueFunction<void()> hook;
  bool removed = false;
};

namespace {

class UvTurnHook final : public TurnHook {
 public:
  explicit UvTurnHook(std::shared_ptr<TurnHookState> state) : state_(std::move(state)) {}
  ~UvTurnHook() override { state_->removed = true; }

 private:
  std::shared_ptr<TurnHookState> state_;
};

}  // namespace

std::unique_ptr<TurnHook> UvLoop::at_end_of_turn(base::UniqueFunction<void()> hook) {
  auto state = std::make_shared<TurnHookState>();
  state->hook = std::move(hook);
  turn_hooks_.push_back(state);
  return std::make_unique<UvTurnHook>(std::move(state));
}

void UvLoop::run_turn_hooks() {
  bool some_removed = false;
  for (std::size_t i = 0; i < turn_hooks_.size(); ++i) {
    auto state = turn_hooks_[i];
    if (!state->removed) state->hook();
    some_removed = some_removed || state->removed;
  }
  if (some_removed) std::erase_if(turn_hooks_, [](const auto& state) { return state->removed; });
}

void UvLoop::wake() { uv_async_send(&wake_); }

// The loop's own thread never wakes it: between any callback and the next wait is an end of turn.
bool UvLoop::must_wake() { return !is_current() && std::exchange(is_asleep_, false); }

void UvLoop::post(base::Job job) {
  bool wakes = false;
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    wakes = must_wake();
  }
  if (wakes) wake();
}

// Runs before the loop waits for descriptors, so that a coroutine that a descriptor or a timer
// resumes needs no wake-up. One round of jobs: what they post has its turn after the descriptors.
void UvLoop::end_turn() {
  run_jobs();
  run_turn_hooks();
  if (stop_.load()) uv_stop(&loop_);
  look_before_sleep();
}

// In one critical section: what is posted or started later finds the loop asleep and wakes it.
void UvLoop::look_before_sleep() {
  std::int64_t due_ns = INT64_MAX;
  bool has_jobs = false;
  {
    std::lock_guard lock(mutex_);
    if (!timers_.empty()) due_ns = timers_.begin()->first.first;
    has_jobs = !jobs_.empty();
    is_asleep_ = !has_jobs;
  }
  arm_timer(due_ns);
  if (has_jobs)
    uv_idle_start(&idle_, [](uv_idle_t*) {});
  else
    uv_idle_stop(&idle_);
}

void UvLoop::run_jobs() {
  std::vector<base::Job> jobs;
  {
    std::lock_guard lock(mutex_);
    jobs.swap(jobs_);
  }
  for (auto& job : jobs) {
    job();
    job = nullptr;
  }
  std::lock_guard lock(mutex_);
  if (jobs_.empty() && jobs.capacity() <= 1024) {
    jobs.clear();
    jobs_.swap(jobs);  // keep the storage
  }
}

base::TimerId UvLoop::start_timer(base::Duration delay, base::UniqueFunction<void()> callback) {
  std::int64_t due = clock().monotonic().ns + std::max<std::int64_t>(delay.count(), 0);
  base::TimerId id = 0;
  bool wakes = false;
  {
    std::lock_guard lock(mutex_);
    id = next_timer_++;
    timer_due_.emplace(id, due);
    timers_.emplace(std::pair(due, id), std::move(callback));
    bool is_next = timers_.begin()->first.second == id;
    wakes = is_next && must_wake();
  }
  if (wakes) wake();
  return id;
}

void UvLoop::cancel_timer(base::TimerId id) {
  base::UniqueFunction<void()> dropped;  // destroyed outside the lock
  std::lock_guard lock(mutex_);
  auto it = timer_due_.find(id);
  if (it == timer_due_.end()) return;
  auto node = timers_.extract({it->second, id});
  timer_due_.erase(it);
  dropped = std::move(node.mapped());
}

void UvLoop::arm_timer(std::int64_t due_ns) {
  if (due_ns == armed_for_ns_) return;
  armed_for_ns_ = due_ns;
  if (due_ns == INT64_MAX) {
    uv_timer_stop(&timer_);
    return;
  }
  std::int64_t left_ns = due_ns - clock().monotonic().ns;
  std::uint64_t left_ms =
      left_ns <= 0 ? 0 : static_cast<std::uint64_t>((left_ns + 999'999) / 1'000'000);
  uv_update_time(&loop_);
  uv_timer_start(
      &timer_, [](uv_timer_t* handle) { static_cast<UvLoop*>(handle->loop->data)->on_timer(); },
      left_ms, 0);
}

void UvLoop::on_timer() {
  armed_for_ns_ = INT64_MAX;
  // Only timers due now: one that starts another with no delay must not starve the sockets.
  std::int64_t now = clock().monotonic().ns;
  for (;;) {
    base::UniqueFunction<void()> callback;
    {
      std::lock_guard lock(mutex_);
      if (timers_.empty() || timers_.begin()->first.first > now) break;
      auto node = timers_.extract(timers_.begin());
      timer_due_.erase(node.key().second);
      callback = std::move(node.mapped());
    }
    callback();
  }
}

void UvLoop::run() {
  if (!name_.empty()) pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  thread_ = std::this_thread::get_id();
  base::Executor::Scope scope(this);
  if (!stop_.load()) uv_run(&loop_, UV_RUN_DEFAULT);
  std::vector<base::Job> jobs;
  {
    std::lock_guard lock(mutex_);
    jobs.swap(jobs_);
  }
  jobs.clear();
  thread_ = std::thread::id();
}

void UvLoop::stop() {
  stop_ = true;
  if (!is_current()) wake();
}

namespace {

// The uv handle outlives the watch until libuv has closed it.
struct PollHandle {
  uv_poll_t poll{};
  FdCallback callback;
};

int uv_events(Ready interest) {
  return (is_readable(interest) ? UV_READABLE : 0) | (is_writable(interest) ? UV_WRITABLE : 0);
}

void on_poll(uv_poll_t* poll, int status, int events) {
  auto* handle = static_cast<PollHandle*>(poll->data);
  int ready = status < 0
                  ? 3
                  : ((events & UV_READABLE) != 0 ? 1 : 0) | ((events & UV_WRITABLE) != 0 ? 2 : 0);
  handle->callback(static_cast<Ready>(ready));
}

class UvFdWatch final : public FdWatch {
 public:
  explicit UvFdWatch(PollHandle* handle) : handle_(handle) {}
  ~UvFdWatch() override {
    uv_poll_stop(&handle_->poll);
    uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll),
             [](uv_handle_t* h) { delete static_cast<PollHandle*>(h->data); });
  }
  void set_interest(Ready interest) override {
    if (interest == interest_) return;
    interest_ = interest;
    if (interest == Ready::none)
      uv_poll_stop(&handle_->poll);
    else
      uv_poll_start(&handle_->poll, uv_events(interest), on_poll);
  }

 private:
  PollHandle* handle_;
  Ready interest_ = Ready::none;
};

}  // namespace

base::Result<std::unique_ptr<FdWatch>> UvLoop::watch_fd(int fd, Ready interest,
                                                        FdCallback callback) {
  auto handle = std::make_unique<PollHandle>();
  handle->callback = std::move(callback);
  handle->poll.data = handle.get();
  if (int error = uv_poll_init(&loop_, &handle->poll, fd); error != 0)
    return uv_status(error, base::concat("watch descriptor ", fd));
  auto watch = std::make_unique<UvFdWatch>(handle.release());
  watch->set_interest(interest);
  return std::unique_ptr<FdWatch>(std::move(watch));
}

base::Result<std::unique_ptr<Loop>> make_loop(std::string name) {
  auto loop = std::make_unique<UvLoop>(std::move(name));
  SKIFF_RETURN_IF_ERROR(loop->open());
  return std::unique_ptr<Loop>(std::move(loop));
}

base::Task<base::Result<bool>> wait_fd(Loop& loop, int fd, Ready interest,
                                       base::CancelToken cancel) {
  base::OneShot<bool> done;
  auto watch = loop.watch_fd(fd, interest, [done](Ready) { done.set(true); });
  if (!watch) co_return watch.status();
  base::CancelCallback on_cancel(cancel, [done] { done.set(false); });
  bool ready = co_await done.future();
  co_return ready;
}

}  // namespace skiff::loop
