#include "scheduler/queue.h"

#include <algorithm>
#include <vector>

#include "scheduler/limits.h"

namespace skiff::scheduler {

namespace {

constexpr std::uint32_t kPods =
    plugin_bit(Plugin::topology_spread) | plugin_bit(Plugin::pod_affinity);

// Whether an event can turn the verdict of these plugins.
bool may_help(ClusterEvent event, std::uint32_t rejected_by) {
  switch (event) {
    case ClusterEvent::node_added:
    case ClusterEvent::node_changed: return true;
    case ClusterEvent::pod_removed:
      return (rejected_by &
              (kPods | plugin_bit(Plugin::resources_fit) | plugin_bit(Plugin::node_ports))) != 0;
    case ClusterEvent::pod_placed: return (rejected_by & kPods) != 0;
  }
  SKIFF_UNREACHABLE();
}

}  // namespace

SchedulingQueue::~SchedulingQueue() {
  if (timer_ != 0) timers_.cancel_timer(timer_);
}

void SchedulingQueue::unlink(const std::string& key, Entry& entry) {
  if (entry.where == Where::active)
    active_.erase({-std::int64_t{entry.pod->priority}, entry.sequence});
  else
    leave_timed(key, entry);
}

void SchedulingQueue::leave_timed(const std::string& key, const Entry& entry) {
  timed_.erase({entry.due.ns, key});
  if (entry.where == Where::unschedulable && (entry.rejected_by & kPods) != 0) --waiting_for_pods_;
}

void SchedulingQueue::activate(const std::string& key, Entry& entry) {
  entry.where = Where::active;
  entry.sequence = next_sequence_++;
  active_.emplace(ActiveKey{-std::int64_t{entry.pod->priority}, entry.sequence}, key);
  notifier_.notify();
}

void SchedulingQueue::add(std::shared_ptr<const PodFacts> pod) {
  std::string key = pod->key;
  auto [found, is_new] = entries_.try_emplace(key);
  if (!is_new) unlink(key, found->second);
  found->second.pod = std::move(pod);
  activate(key, found->second);
}

void SchedulingQueue::remove(const std::string& key) {
  attempts_.erase(key);
  auto found = entries_.find(key);
  if (found == entries_.end()) return;
  unlink(key, found->second);
  entries_.erase(found);
}

void SchedulingQueue::add_rejected(std::shared_ptr<const PodFacts> pod, std::uint32_t rejected_by) {
  std::string key = pod->key;
  auto [found, is_new] = entries_.try_emplace(key);
  if (!is_new) return;  // it changed meanwhile and waits already
  Entry& entry = found->second;
  int attempt = std::min(attempts_[key]++, 8);
  base::Duration backoff(base::Duration(kBackoffMin).count() << attempt);
  backoff = std::min(backoff, base::Duration(kBackoffMax));
  base::MonotonicTime now = timers_.clock().monotonic();
  entry.pod = std::move(pod);
  entry.rejected_by = rejected_by;
  entry.backoff_until = now + backoff;
  entry.where = rejected_by == 0 ? Where::backoff : Where::unschedulable;
  entry.due = rejected_by == 0 ? entry.backoff_until : now + kUnschedulableMax;
  timed_.emplace(entry.due.ns, key);
  if (entry.where == Where::unschedulable && (rejected_by & kPods) != 0) ++waiting_for_pods_;
  arm();
}

void SchedulingQueue::moved(ClusterEvent event) {
  if (event == ClusterEvent::pod_placed && waiting_for_pods_ == 0) return;
  base::MonotonicTime now = timers_.clock().monotonic();
  std::vector<std::string> keys;
  for (const auto& [due, key] : timed_) {
    const Entry& entry = entries_.at(key);
    if (entry.where == Where::unschedulable && may_help(event, entry.rejected_by))
      keys.push_back(key);
  }
  for (const std::string& key : keys) {
    Entry& entry = entries_.at(key);
    leave_timed(key, entry);
    if (entry.backoff_until <= now) {
      activate(key, entry);
      continue;
    }
    entry.where = Where::backoff;
    entry.due = entry.backoff_until;
    timed_.emplace(entry.due.ns, key);
  }
  arm();
}

std::shared_ptr<const PodFacts> SchedulingQueue::take() {
  if (active_.empty()) return nullptr;
  std::string key = std::move(active_.begin()->second);
  active_.erase(active_.begin());
  auto found = entries_.find(key);
  std::shared_ptr<const PodFacts> pod = std::move(found->second.pod);
  entries_.erase(found);
  return pod;
}

void SchedulingQueue::arm() {
  if (timed_.empty()) return;
  std::int64_t due = timed_.begin()->first;
  if (timer_ != 0 && armed_for_ <= due) return;
  if (timer_ != 0) timers_.cancel_timer(timer_);
  armed_for_ = due;
  base::Duration delay(due - timers_.clock().monotonic().ns);
  timer_ = timers_.start_timer(delay, [this] { fire(); });
}

void SchedulingQueue::fire() {
  timer_ = 0;
  std::int64_t now = timers_.clock().monotonic().ns;
  while (!timed_.empty() && timed_.begin()->first <= now) {
    std::string key = timed_.begin()->second;
    Entry& entry = entries_.at(key);
    leave_timed(key, entry);
    activate(key, entry);
  }
  arm();
}

}  // namespace skiff::scheduler
