#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>

#include "loop/limits.h"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace skiff::loop {

namespace {

class ThreadPool final : public WorkPool {
 public:
  explicit ThreadPool(WorkPoolOptions options) : options_(std::move(options)) {
    SKIFF_ASSERT(options_.threads_max > 0);
  }

  ~ThreadPool() override {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    ended_.wait(lock, [&] { return threads_ == 0; });
    lock.unlock();
    join(last_ended_);
  }

  void post(base::Job job) override {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    if (idle_ >= jobs_.size()) {
      wake_.notify_one();
    } else if (threads_ < options_.threads_max && start_thread()) {
      ++threads_;
    } else {
      wake_.notify_one();
    }
  }

  std::size_t queued() const override {
    std::lock_guard lock(mutex_);
    return jobs_.size();
  }

 private:
  static void join(std::optional<pthread_t> thread) {
    if (thread) pthread_join(*thread, nullptr);
  }

  bool start_thread() {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, options_.stack_bytes);
    pthread_t thread;
    int error = pthread_create(
        &thread, &attributes,
        [](void* self) -> void* {
          static_cast<ThreadPool*>(self)->run_thread();
          return nullptr;
        },
        this);
    pthread_attr_destroy(&attributes);
    SKIFF_ASSERT(error == 0 || threads_ > 0);
    return error == 0;
  }

  void run_thread() {
    pthread_setname_np(pthread_self(), options_.name.substr(0, 15).c_str());
    base::Executor::Scope scope(this);
    std::unique_lock lock(mutex_);
    while (wait_for_job(lock)) {
      base::Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
    }
    --threads_;
    // A thread that ends joins the one that ended before it, and the destructor the last: when the
    // pool is gone, so is what libraries keep for each of its threads.
    const auto before = std::exchange(last_ended_, pthread_self());
    // Under the lock: the destructor may free this object as soon as it sees 0.
    if (threads_ == 0) ended_.notify_all();
    lock.unlock();
    join(before);
  }

  // False when this thread should end.
  bool wait_for_job(std::unique_lock<std::mutex>& lock) {
    auto ready = [&] { return !jobs_.empty() || stopping_; };
    if (!ready()) {
      ++idle_;
      if (options_.keep_threads)
        wake_.wait(lock, ready);
      else
        wake_.wait_for(lock, kIdleThreadLife, ready);
      --idle_;
    }
    return !jobs_.empty();
  }

  const WorkPoolOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, ended_;
  std::deque<base::Job> jobs_;           // under mutex_
  std::size_t threads_ = 0;              // under mutex_
  std::optional<pthread_t> last_ended_;  // not joined yet; under mutex_
  std::size_t idle_ = 0;                 // under mutex_
  bool stopping_ = false;                // under mutex_
};

}  // namespace

base::Result<std::unique_ptr<WorkPool>> make_work_pool(WorkPoolOptions options) {
  if (options.threads_max == 0) return base::invalid_argument("a work pool needs a thread");
  return std::unique_ptr<WorkPool>(std::make_unique<ThreadPool>(std::move(options)));
}

}  // namespace skiff::loop
