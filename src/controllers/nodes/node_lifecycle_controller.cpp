#include "controllers/list_of_controllers.h"
#include "controllers/nodes/plan_node_health.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include <set>

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::leases;
using client::resources::nodes;
using client::resources::pods;

constexpr std::string_view kLeaseNamespace = "kube-node-lease";

// Watches over the heartbeats of nodes. A node is timed from what this process observed, never from
// the times that others wrote: clocks of boards jump, and after a start every node has its grace
// period again. A heartbeat only moves a deadline; the one check per node and period does the rest.
class NodeLifecycleController final : public KeyedController {
 public:
  explicit NodeLifecycleController(Context& context)
      : KeyedController(context),
        nodes_(needs(nodes)),
        leases_(needs(leases)),
        pods_(needs(pods)),
        recorder_(context.recorder("node-controller")) {
    watch(nodes, [this](const auto& before, const auto& after) { node_changed(before, after); });
    watch(leases, [this](const auto& before, const auto& after) { lease_changed(before, after); });
  }
  std::string_view name() const override { return "node-lifecycle"; }

 protected:
  Task<Status> sync(std::string key) override;
  void started() override {
    for (const auto& node : nodes_.list()) heard(std::string(node.name()), kNodeGracePeriod);
  }

 private:
  void node_changed(const api::StoredObject& before, const api::StoredObject& after);
  void lease_changed(const api::StoredObject& before, const api::StoredObject& after);
  // Returns whether it was the first or the last that is well.
  bool note_well(const std::string& node, bool is_well);
  void heard(const std::string& node, base::Duration grace) {
    deadline_[node] = context_.timers.clock().monotonic() + grace;
  }
  Task<Status> write_conditions(std::string key, JsonPtr node, Json conditions);
  Task<Status> mark_pods_not_ready(std::string key);

  client::Informer& nodes_;
  client::Informer& leases_;
  client::Informer& pods_;
  std::unique_ptr<client::EventRecorder> recorder_;
  std::map<std::string, base::MonotonicTime, std::less<>> deadline_;
  std::set<std::string, std::less<>> well_;  // the nodes that are ready
};

std::string heartbeat_of(const Json& node) {
  return std::string(api::find_condition(node, "Ready")["lastHeartbeatTime"].as_string());
}

bool NodeLifecycleController::note_well(const std::string& node, bool is_well) {
  const bool were_none = well_.empty();
  if (is_well)
    well_.insert(node);
  else
    well_.erase(node);
  return were_none != well_.empty();
}

void NodeLifecycleController::node_changed(const api::StoredObject& before,
                                           const api::StoredObject& after) {
  const api::StoredObject& object = after.empty() ? before : after;
  std::string key(object.name());
  bool is_well = false;
  if (after.empty()) {
    deadline_.erase(key);
  } else {
    JsonPtr node = context_.parsed.parse(after);
    is_well = is_node_ready(*node);
    bool is_new = before.empty();
    if (is_new && deadline_.count(key) == 0)
      heard(key, heartbeat_of(*node).empty() ? kNodeStartupGracePeriod : kNodeGracePeriod);
    if (!is_new && heartbeat_of(*context_.parsed.parse(before)) != heartbeat_of(*node))
      heard(key, kNodeGracePeriod);
  }
  // Whether any node is well decides about the taints of all others.
  if (!note_well(key, is_well)) return queue_->add(key);
  for (const auto& node : nodes_.list()) queue_->add(std::string(node.name()));
}

void NodeLifecycleController::lease_changed(const api::StoredObject& before,
                                            const api::StoredObject& after) {
  if (after.empty() || after.namespace_name() != kLeaseNamespace) return;
  auto renewed = [](const api::StoredObject& lease) {
    if (lease.empty()) return std::string();
    return api::scan_string(lease.text(), {"spec", "renewTime"}).value_or("");
  };
  if (renewed(before) == renewed(after)) return;
  auto known = deadline_.find(after.name());
  if (known == deadline_.end()) return;
  bool was_silent = known->second <= context_.timers.clock().monotonic();
  heard(known->first, kNodeGracePeriod);
  if (was_silent) queue_->add(known->first);
}

Task<Status> NodeLifecycleController::sync(std::string key) {
  JsonPtr node = context_.find(nodes_, key);
  if (!node) co_return Status::ok();
  auto deadline = deadline_.find(key);
  if (deadline == deadline_.end()) {
    heard(key, kNodeGracePeriod);
    deadline = deadline_.find(key);
  }
  base::Duration rest = deadline->second - context_.timers.clock().monotonic();
  if (rest.count() > 0) {
    queue_->add_after(key, rest);
  } else {
    Json conditions = plan_silent_conditions(*node, context_.now());
    if (conditions != node->at({"status", "conditions"}))
      co_return co_await write_conditions(key, node, std::move(conditions));
  }
  Json taints = plan_taints(*node, well_.empty(), context_.now());
  const Json& present = node->at({"spec", "taints"});
  bool same = taints.empty() ? present.empty() : taints == present;
  if (!same) {
    Json patch = Json::object();
    patch["metadata"].set("resourceVersion", node->at({"metadata", "resourceVersion"}));
    patch["spec"].set("taints", taints.empty() ? Json() : std::move(taints));
    auto patching =
        context_.client.patch(nodes, "", key, client::PatchType::merge, std::move(patch));
    auto patched = co_await std::move(patching);
    if (!patched.is_ok()) co_return patched.status();
  }
  if (!is_node_ready(*node)) co_return co_await mark_pods_not_ready(key);
  co_return Status::ok();
}

Task<Status> NodeLifecycleController::write_conditions(std::string key, JsonPtr node,
                                                       Json conditions) {
  Json object = *node;
  object["status"].set("conditions", std::move(conditions));
  auto updating = context_.client.update(nodes, std::move(object), "status");
  auto updated = co_await std::move(updating);
  if (!updated.is_ok()) co_return updated.status();
  recorder_->event(*node, client::EventType::normal, "NodeNotReady",
                   base::concat("Node ", key, " status is now: NodeNotReady"));
  co_return Status::ok();
}

// Nobody on the node can tell any more that its pods are ready: Services must not count on them.
Task<Status> NodeLifecycleController::mark_pods_not_ready(std::string key) {
  for (const auto& object : pods_.by_index("node", key)) {
    JsonPtr pod = context_.parsed.parse(object);
    if (!is_pod_ready(*pod)) continue;
    Json changed = *pod;
    set_condition(changed["status"]["conditions"], "Ready", "False", "", "", context_.now());
    for (Json& condition : changed["status"]["conditions"].mutable_items())
      for (std::string_view field : {"reason", "message"})
        if (condition[field].empty()) condition.erase(field);
    auto updating = context_.client.update(pods, std::move(changed), "status");
    auto updated = co_await std::move(updating);
    if (!updated.is_ok() && updated.code() != base::Code::not_found) co_return updated.status();
    recorder_->event(*pod, client::EventType::warning, "NodeNotReady", "Node is not ready");
  }
  co_return Status::ok();
}

}  // namespace

std::unique_ptr<Controller> make_node_lifecycle_controller(Context& context) {
  return std::make_unique<NodeLifecycleController>(context);
}

}  // namespace skiff::controllers
