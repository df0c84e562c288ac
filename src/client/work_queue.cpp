#include <skiff/client/work_queue.h>

#include "client/limits.h"

#include <algorithm>
#include <deque>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace skiff::client {

namespace {

// A key is dirty from add() until it is taken, and processing from then until done().
class WorkQueueImpl final : public WorkQueue {
 public:
  explicit WorkQueueImpl(base::Timers& timers) : timers_(timers) {}
  ~WorkQueueImpl() override {
    if (timer_ != 0) timers_.cancel_timer(timer_);
  }

  void add(std::string key) override {
    if (!dirty_.insert(key).second) return;
    if (processing_.count(key) != 0) return;
    ready_.push_back(std::move(key));
    notifier_.notify();
  }

  void add_after(std::string key, base::Duration delay) override {
    if (delay.count() <= 0) return add(std::move(key));
    std::int64_t due = (timers_.clock().monotonic() + delay).ns;
    auto known = due_of_.find(key);
    if (known != due_of_.end()) {
      if (known->second <= due) return;
      delayed_.erase({known->second, key});
      known->second = due;
    } else {
      due_of_.emplace(key, due);
    }
    delayed_.emplace(due, std::move(key));
    arm();
  }

  void add_rate_limited(std::string key) override {
    int failures = std::min(failures_[key]++, 30);
    base::Duration delay(kRetryDelayMin.count() << failures);
    delay = std::min(delay, kRetryDelayMax);
    add_after(std::move(key), delay);
  }

  void forget(const std::string& key) override { failures_.erase(key); }

  base::Task<std::optional<std::string>> take(base::CancelToken cancel) override {
    while (ready_.empty()) {
      bool notified = co_await notifier_.wait(cancel);
      if (!notified) co_return std::nullopt;
    }
    if (cancel.is_cancelled()) co_return std::nullopt;
    std::string key = std::move(ready_.front());
    ready_.pop_front();
    dirty_.erase(key);
    processing_.insert(key);
    co_return key;
  }

  void done(const std::string& key) override {
    processing_.erase(key);
    if (dirty_.count(key) == 0) return;
    ready_.push_back(key);
    notifier_.notify();
  }

  std::size_t size() const override { return ready_.size(); }

 private:
  // One timer stands for all delayed keys; it is set to the earliest.
  void arm() {
    if (delayed_.empty()) return;
    std::int64_t due = delayed_.begin()->first;
    if (timer_ != 0 && armed_for_ <= due) return;
    if (timer_ != 0) timers_.cancel_timer(timer_);
    armed_for_ = due;
    base::Duration delay(due - timers_.clock().monotonic().ns);
    timer_ = timers_.start_timer(delay, [this] { fire(); });
  }

  void fire() {
    timer_ = 0;
    std::int64_t now = timers_.clock().monotonic().ns;
    while (!delayed_.empty() && delayed_.begin()->first <= now) {
      std::string key = delayed_.begin()->second;
      delayed_.erase(delayed_.begin());
      due_of_.erase(key);
      add(std::move(key));
    }
    arm();
  }

  base::Timers& timers_;
  base::Notifier notifier_;
  std::deque<std::string> ready_;
  std::unordered_set<std::string> dirty_;
  std::unordered_set<std::string> processing_;
  std::unordered_map<std::string, int> failures_;
  std::set<std::pair<std::int64_t, std::string>> delayed_;
  std::unordered_map<std::string, std::int64_t> due_of_;
  base::TimerId timer_ = 0;
  std::int64_t armed_for_ = 0;
};

}  // namespace

std::unique_ptr<WorkQueue> make_work_queue(base::Timers& timers) {
  return std::make_unique<WorkQueueImpl>(timers);
}

}  // namespace skiff::client
