// Pods that wait for a node: ready to be tried, backing off, or waiting for an event that may help.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/clock.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "scheduler/filters.h"

namespace skiff::scheduler {

// What happened in the cluster, as far as it can make a rejected pod fit.
enum class ClusterEvent : unsigned char { node_added, node_changed, pod_removed, pod_placed };

// Thread-compatible: one executor.
class SchedulingQueue {
 public:
  explicit SchedulingQueue(base::Timers& timers) : timers_(timers) {}
  ~SchedulingQueue();

  // A new or changed pod: tried at once.
  void add(std::shared_ptr<const PodFacts> pod);
  void remove(const std::string& key);
  // After a failed attempt. `rejected_by` 0: an error, tried again after its back-off.
  void add_rejected(std::shared_ptr<const PodFacts> pod, std::uint32_t rejected_by);
  // Brings back the pods that the event may help, after their back-off.
  void moved(ClusterEvent event);
  // The pod of the highest priority that waited longest; nullptr when none is ready.
  std::shared_ptr<const PodFacts> take();
  // Forgets the attempts of a pod that has been placed.
  void placed(const std::string& key) { attempts_.erase(key); }
  // Wakes when a pod may be ready.
  base::Task<bool> wait(base::CancelToken cancel) { return notifier_.wait(std::move(cancel)); }
  std::size_t waiting() const { return entries_.size(); }

 private:
  enum class Where : unsigned char { active, backoff, unschedulable };
  struct Entry {
    std::shared_ptr<const PodFacts> pod;
    Where where = Where::active;
    std::uint64_t sequence = 0;
    std::uint32_t rejected_by = 0;
    base::MonotonicTime due;  // end of the back-off; of the longest wait when unschedulable
    base::MonotonicTime backoff_until;
  };
  using ActiveKey = std::pair<std::int64_t, std::uint64_t>;  // (-priority, sequence)
  void activate(const std::string& key, Entry& entry);
  void unlink(const std::string& key, Entry& entry);
  // Takes the entry out of `timed_`; it stands nowhere until it is put somewhere else.
  void leave_timed(const std::string& key, const Entry& entry);
  void arm();
  void fire();

  base::Timers& timers_;
  base::Notifier notifier_;
  std::unordered_map<std::string, Entry> entries_;
  std::map<ActiveKey, std::string> active_;
  std::set<std::pair<std::int64_t, std::string>> timed_;  // (due, key) of both others
  std::unordered_map<std::string, int> attempts_;
  // Unschedulable pods that wait for other pods: without any, placements concern nobody.
  std::size_t waiting_for_pods_ = 0;
  std::uint64_t next_sequence_ = 0;
  base::TimerId timer_ = 0;
  std::int64_t armed_for_ = 0;
};

}  // namespace skiff::scheduler
