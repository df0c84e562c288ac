#include <skiff/scheduler/scheduler.h>

#include <skiff/api/object.h>
#include <skiff/api/scan.h>
#include <skiff/api/summary.h>
#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/client/informer.h>
#include <skiff/client/recorder.h>

#include "scheduler/cluster.h"
#include "scheduler/limits.h"
#include "scheduler/plan_placement.h"
#include "scheduler/pod_text.h"
#include "scheduler/queue.h"

namespace skiff::scheduler {

namespace {

using base::Status;
using base::Task;
using client::EventType;
using client::resources::nodes;
using client::resources::pods;
using PodPtr = std::shared_ptr<const PodFacts>;

class SchedulerImpl final : public Scheduler {
 public:
  explicit SchedulerImpl(SchedulerOptions options)
      : options_(std::move(options)),
        client_(*options_.client),
        timers_(*options_.timers),
        pods_(client::make_informer(client_, timers_, pods, {}, {})),
        nodes_(client::make_informer(client_, timers_, nodes, {}, {})),
        recorder_(client::make_recorder(client_, *options_.executor, timers_, options_.name, "")),
        queue_(timers_),
        binds_(kBindsInFlightMax) {
    pods_->add_handler(
        [this](const auto& before, const auto& after) { pod_changed(before, after); });
    nodes_->add_handler(
        [this](const auto& before, const auto& after) { node_changed(before, after); });
  }

  Task<void> run(base::CancelToken cancel) override {
    base::TaskScope scope(*options_.executor);
    scope_ = &scope;
    scope.spawn(nodes_->run(cancel));
    bool nodes_known = co_await nodes_->wait_synced(cancel);
    if (nodes_known) {
      scope.spawn(pods_->run(cancel));
      bool pods_known = co_await pods_->wait_synced(cancel);
      if (pods_known) co_await schedule(scope, cancel);
    }
    co_await scope.join();
  }

 private:
  Task<void> schedule(base::TaskScope& scope, base::CancelToken cancel);
  void node_changed(const api::StoredObject& before, const api::StoredObject& after);
  void pod_changed(const api::StoredObject& before, const api::StoredObject& after);
  void pod_gone(const std::string& key);
  bool is_ours(const api::StoredObject& pod) const;
  Task<void> bind(PodPtr pod, std::string node);
  Task<void> reject(PodPtr pod, std::string message, std::string reason);
  Task<void> mark_gated(std::string key);
  void assume(const PodFacts& pod, const std::string& node);

  const SchedulerOptions options_;
  client::Client& client_;
  base::Timers& timers_;
  std::unique_ptr<client::Informer> pods_, nodes_;
  std::unique_ptr<client::EventRecorder> recorder_;
  SchedulingQueue queue_;
  Cluster cluster_;
  std::set<std::string> gated_;  // to be marked
  base::AsyncSemaphore binds_;
  std::size_t start_ = 0;
  base::TaskScope* scope_ = nullptr;  // of run(); informers tell nothing outside of it
};

void SchedulerImpl::node_changed(const api::StoredObject& before, const api::StoredObject& after) {
  if (after.empty()) {
    cluster_.remove_node(before.name());
    return;
  }
  auto node = after.parse();
  if (!node.is_ok()) return;
  cluster_.put_node(parse_node(*node));
  if (before.empty()) return queue_.moved(ClusterEvent::node_added);
  // Heartbeats change nothing that a pod could be waiting for.
  bool same = is_same_at(before, *node, {"spec"}) &&
              is_same_at(before, *node, {"metadata", "labels"}) &&
              is_same_at(before, *node, {"status", "allocatable"});
  if (!same) queue_.moved(ClusterEvent::node_changed);
}

void SchedulerImpl::pod_gone(const std::string& key) {
  queue_.remove(key);
  gated_.erase(key);
  if (!cluster_.has_pod(key)) return;
  cluster_.remove_pod(key);
  queue_.moved(ClusterEvent::pod_removed);
}

bool SchedulerImpl::is_ours(const api::StoredObject& pod) const {
  auto name = api::scan_string(pod.text(), {"spec", "schedulerName"});
  return name.value_or("default-scheduler") == options_.name;
}

void SchedulerImpl::pod_changed(const api::StoredObject& before, const api::StoredObject& after) {
  const api::ObjectSummary now = api::summarize((after.empty() ? before : after).text());
  std::string key = base::concat(now.namespace_name, '/', now.name);
  if (after.empty()) return pod_gone(key);
  if (!before.empty() && before.uid() != now.uid) pod_gone(key);
  if (now.phase == "Succeeded" || now.phase == "Failed") return pod_gone(key);
  // Most changes are reports about running pods. What a placed pod takes does not change; its
  // labels may.
  const PlacedPod* known = cluster_.find_pod(key);
  bool is_known =
      !now.node_name.empty() && known != nullptr && known->node == now.node_name && !before.empty();
  if (is_known && api::scan_string_map(before.text(), {"metadata", "labels"}) ==
                      api::scan_string_map(after.text(), {"metadata", "labels"}))
    return queue_.remove(key);
  if (!now.node_name.empty()) {
    queue_.remove(key);
    assume(parse_pod(placement_part(after, now)), now.node_name);
    queue_.moved(ClusterEvent::pod_placed);
    return;
  }
  if (!is_ours(after) || now.is_being_deleted) return queue_.remove(key);
  const Json pod = placement_part(after, now);
  if (!pod.at({"spec", "schedulingGates"}).empty()) {
    queue_.remove(key);
    if (!is_marked_gated(after) && gated_.insert(key).second) scope_->spawn(mark_gated(key));
    return;
  }
  if (cluster_.has_pod(key)) return;  // being bound just now
  // Our own status writes must not undo the back-off.
  if (!before.empty() && before.uid() == now.uid && is_same_at(before, pod, {"spec"}) &&
      is_same_at(before, pod, {"metadata", "labels"}))
    return;
  queue_.add(std::make_shared<const PodFacts>(parse_pod(pod)));
}

void SchedulerImpl::assume(const PodFacts& pod, const std::string& node) {
  PlacedPod placed;
  placed.uid = pod.uid;
  placed.node = node;
  placed.use = pod.use;
  placed.namespace_name = pod.namespace_name;
  placed.labels = pod.labels;
  placed.anti_affinity = pod.anti_affinity;
  cluster_.put_pod(pod.key, std::move(placed));
}

Task<void> SchedulerImpl::schedule(base::TaskScope& scope, base::CancelToken cancel) {
  base::MonotonicTime slice_start = timers_.clock().monotonic();
  while (!cancel.is_cancelled()) {
    PodPtr pod = queue_.take();
    if (!pod) {
      bool woken = co_await queue_.wait(cancel);
      if (!woken) co_return;
      slice_start = timers_.clock().monotonic();
      continue;
    }
    Placement placement = plan_placement(cluster_, *pod, start_, *options_.random);
    start_ = placement.next_start;
    if (placement.node.empty()) {
      queue_.add_rejected(
          pod, placement.rejected_by == 0 ? plugin_bit(Plugin::none) : placement.rejected_by);
      scope.spawn(reject(pod, std::move(placement.message), "Unschedulable"));
    } else {
      assume(*pod, placement.node);
      co_await binds_.acquire();
      scope.spawn(bind(pod, std::move(placement.node)));
    }
    if (timers_.clock().monotonic() - slice_start < kPlanSliceMax) continue;
    co_await base::yield();
    slice_start = timers_.clock().monotonic();
  }
}

Json object_of(const PodFacts& pod) {
  Json metadata =
      Json::object({{"name", pod.name}, {"namespace", pod.namespace_name}, {"uid", pod.uid}});
  return Json::object({{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", std::move(metadata)}});
}

Task<void> SchedulerImpl::bind(PodPtr pod, std::string node) {
  Json metadata =
      Json::object({{"name", pod->name}, {"namespace", pod->namespace_name}, {"uid", pod->uid}});
  Json target = Json::object({{"apiVersion", "v1"}, {"kind", "Node"}, {"name", node}});
  Json binding = Json::object({{"apiVersion", "v1"},
                               {"kind", "Binding"},
                               {"metadata", std::move(metadata)},
                               {"target", std::move(target)}});
  auto binding_task =
      client_.create(pods, pod->namespace_name, std::move(binding), "binding", pod->name);
  auto bound = co_await std::move(binding_task);
  binds_.release();
  if (bound.is_ok()) {
    queue_.placed(pod->key);
    recorder_->event(object_of(*pod), EventType::normal, "Scheduled",
                     base::concat("Successfully assigned ", pod->key, " to ", node));
    co_return;
  }
  base::log_debug("binding failed", {{"pod", pod->key}, {"error", bound.status()}});
  // The informer knows best: the pod may be gone, or be placed after all.
  api::StoredObject now = pods_->get(pod->key);
  bool is_there = !now.empty() && now.uid() == pod->uid;
  if (is_there && !api::scan_string(now.text(), {"spec", "nodeName"}).value_or("").empty())
    co_return;
  // Another pod of this name may be placed by now.
  const PlacedPod* placed = cluster_.find_pod(pod->key);
  if (placed != nullptr && placed->uid == pod->uid) cluster_.remove_pod(pod->key);
  if (!is_there) co_return;
  queue_.moved(ClusterEvent::pod_removed);
  if (bound.code() == base::Code::not_found) co_return;
  queue_.add_rejected(pod, 0);
  std::string message = base::concat("binding rejected: ", bound.status().message());
  co_await reject(pod, std::move(message), "SchedulerError");
}

Json scheduled_condition(std::string_view reason, std::string_view message, base::WallTime now) {
  Json condition = Json::object({{"type", "PodScheduled"},
                                 {"status", "False"},
                                 {"lastProbeTime", nullptr},
                                 {"lastTransitionTime", base::format_rfc3339(now)},
                                 {"reason", reason},
                                 {"message", message}});
  condition.erase("lastProbeTime");
  return condition;
}

// Sets the PodScheduled condition unless it says so already; false when there is nothing to write.
bool set_scheduled_condition(Json& pod, Json condition) {
  Json& conditions = pod["status"]["conditions"];
  if (!conditions.is_array()) conditions = Json::array();
  for (Json& present : conditions.mutable_items()) {
    if (present["type"].as_string() != "PodScheduled") continue;
    if (present["reason"] == condition["reason"] && present["message"] == condition["message"])
      return false;
    if (present["status"] == condition["status"])
      condition.set("lastTransitionTime", present["lastTransitionTime"]);
    present = std::move(condition);
    return true;
  }
  conditions.push_back(std::move(condition));
  return true;
}

Task<void> SchedulerImpl::reject(PodPtr pod, std::string message, std::string reason) {
  recorder_->event(object_of(*pod), EventType::warning, "FailedScheduling", message);
  api::StoredObject stored = pods_->get(pod->key);
  if (stored.empty() || stored.uid() != pod->uid) co_return;
  auto tree = stored.parse();
  if (!tree.is_ok() || !tree->at({"spec", "nodeName"}).empty()) co_return;
  Json changed = std::move(*tree);
  if (!set_scheduled_condition(changed,
                               scheduled_condition(reason, message, timers_.clock().now())))
    co_return;
  auto updating = client_.update(pods, std::move(changed), "status");
  auto updated = co_await std::move(updating);
  if (!updated.is_ok())
    base::log_debug("condition not written", {{"pod", pod->key}, {"error", updated.status()}});
}

Task<void> SchedulerImpl::mark_gated(std::string key) {
  api::StoredObject stored = pods_->get(key);
  gated_.erase(key);
  if (stored.empty()) co_return;
  auto tree = stored.parse();
  if (!tree.is_ok()) co_return;
  Json changed = std::move(*tree);
  bool is_new = set_scheduled_condition(
      changed, scheduled_condition("SchedulingGated",
                                   "Scheduling is blocked due to non-empty scheduling gates",
                                   timers_.clock().now()));
  if (!is_new) co_return;
  auto updating = client_.update(pods, std::move(changed), "status");
  auto updated = co_await std::move(updating);
  if (!updated.is_ok())
    base::log_debug("condition not written", {{"pod", key}, {"error", updated.status()}});
}

}  // namespace

std::unique_ptr<Scheduler> make_scheduler(SchedulerOptions options) {
  SKIFF_ASSERT(options.client != nullptr && options.executor != nullptr);
  SKIFF_ASSERT(options.timers != nullptr && options.random != nullptr);
  return std::make_unique<SchedulerImpl>(std::move(options));
}

}  // namespace skiff::scheduler
