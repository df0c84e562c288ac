#include "controllers/list_of_controllers.h"

#include <skiff/api/selector.h>
#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include <algorithm>
#include <map>

#include "controllers/replicaset/expectations.h"
#include "controllers/replicaset/plan_replicas.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::EventType;
using client::resources::pods;
using client::resources::replica_sets;

class ReplicaSetController final : public KeyedController {
 public:
  explicit ReplicaSetController(Context& context)
      : KeyedController(context),
        sets_(needs(replica_sets)),
        pods_(needs(pods)),
        recorder_(context.recorder("replicaset-controller")),
        expectations_(context.timers.clock()) {
    enqueue_on_change(replica_sets);
    watch(pods, [this](const auto& before, const auto& after) { pod_changed(before, after); });
  }
  std::string_view name() const override { return "replicaset"; }

 protected:
  Task<Status> sync(std::string key) override;

 private:
  // How the creations or deletions of one sync went.
  struct Outcome {
    std::int64_t failed = 0;
    ReplicaFailure failure;
    base::Code code = base::Code::ok;
  };
  using OutcomePtr = std::shared_ptr<Outcome>;

  void pod_changed(const api::StoredObject& before, const api::StoredObject& after);
  void enqueue_matching(const api::StoredObject& pod);
  std::string key_of_owner(const api::ObjectSummary& pod) const;
  Task<base::Result<std::vector<JsonPtr>>> claim_pods(JsonPtr set);
  Task<void> create_pods(JsonPtr set, std::string key, std::int64_t count, OutcomePtr outcome);
  Task<void> create_pod(JsonPtr set, std::string key, OutcomePtr outcome);
  Task<void> delete_pods(JsonPtr set, std::string key, std::vector<JsonPtr> pods,
                         OutcomePtr outcome);
  Task<void> delete_pod(JsonPtr set, std::string key, JsonPtr pod, OutcomePtr outcome);
  Task<Status> write_status(JsonPtr set, Json status);
  std::vector<int> related_on_node(const Json& set, const std::vector<JsonPtr>& active) const;
  void recheck_availability(const Json& set, const std::vector<JsonPtr>& active);

  client::Informer& sets_;
  client::Informer& pods_;
  std::unique_ptr<client::EventRecorder> recorder_;
  Expectations expectations_;
};

// The key of the set that controls the pod, empty when there is none (any more).
std::string ReplicaSetController::key_of_owner(const api::ObjectSummary& pod) const {
  const Json& owner = pod.controller();
  if (owner["kind"].as_string() != "ReplicaSet") return {};
  std::string key = base::concat(pod.namespace_name, '/', owner["name"].as_string());
  api::StoredObject set = sets_.get(key);
  if (set.empty() || set.uid() != owner["uid"].as_string()) return {};
  return key;
}

void ReplicaSetController::enqueue_matching(const api::StoredObject& pod) {
  const auto sets = sets_.list(pod.namespace_name());
  if (sets.empty()) return;
  const api::Labels labels = api::scan_string_map(pod.text(), {"metadata", "labels"});
  for (const auto& object : sets) {
    JsonPtr set = context_.parsed.parse(object);
    auto selector = api::LabelSelector::from_json(set->at({"spec", "selector"}));
    if (selector.is_ok() && selector->matches(labels)) queue_->add(api::object_key(*set));
  }
}

void ReplicaSetController::pod_changed(const api::StoredObject& before,
                                       const api::StoredObject& after) {
  SummaryPtr old_pod = context_.parsed.summary(before);
  SummaryPtr pod = context_.parsed.summary(after);
  bool replaced = !before.empty() && !after.empty() && old_pod->uid != pod->uid;
  if (!before.empty()) {
    std::string key = key_of_owner(*old_pod);
    bool gone = after.empty() || replaced;
    if (!key.empty()) {
      bool ends = !gone && pod->is_being_deleted;
      if (gone || ends) expectations_.deletion_observed(key, old_pod->uid);
      if (gone || key != key_of_owner(*pod)) queue_->add(key);
    }
    if (after.empty()) return;
  }
  std::string key = key_of_owner(*pod);
  if (key.empty()) {
    if (pod->controller().is_null() && !pod->is_being_deleted) enqueue_matching(after);
    return;
  }
  if (before.empty() || replaced) expectations_.creation_observed(key);
  if (pod->is_being_deleted) expectations_.deletion_observed(key, pod->uid);
  queue_->add(key);
}

// The pods that count as the set's own: those it controls and that match, and orphans that match,
// which it adopts. What it controls and does not match is let go.
Task<base::Result<std::vector<JsonPtr>>> ReplicaSetController::claim_pods(JsonPtr set) {
  std::vector<JsonPtr> claimed;
  auto selector = api::LabelSelector::from_json(set->at({"spec", "selector"}));
  if (!selector.is_ok()) co_return selector.status();
  std::string uid(api::uid_of(*set)), namespace_name(api::namespace_of(*set));
  for (const auto& pod : context_.parse_all(pods_.by_index("controller", uid))) {
    if (!is_pod_active(*pod)) continue;
    if (selector->matches(pod->at({"metadata", "labels"}))) {
      claimed.push_back(pod);
      continue;
    }
    if (api::is_being_deleted(*set)) continue;
    Json patch = release_patch(*pod, uid);
    auto patching = context_.client.patch(pods, namespace_name, std::string(api::name_of(*pod)),
                                          client::PatchType::merge, std::move(patch));
    auto patched = co_await std::move(patching);
    if (!patched.is_ok() && patched.code() != base::Code::not_found) co_return patched.status();
  }
  if (api::is_being_deleted(*set)) co_return claimed;
  bool checked = false;
  std::string orphans = base::concat("orphans/", namespace_name);
  for (const auto& pod : context_.parse_all(pods_.by_index("controller", orphans))) {
    if (!is_pod_active(*pod) || !selector->matches(pod->at({"metadata", "labels"}))) continue;
    if (!checked) {
      // Adopt only for a set that is surely still there.
      auto getting =
          context_.client.get(replica_sets, namespace_name, std::string(api::name_of(*set)));
      auto fresh = co_await std::move(getting);
      if (!fresh.is_ok()) co_return fresh.status();
      if (api::uid_of(*fresh) != uid || api::is_being_deleted(*fresh)) co_return claimed;
      checked = true;
    }
    Json patch = adoption_patch(*pod, controller_reference(*set, "apps/v1", "ReplicaSet"));
    auto patching = context_.client.patch(pods, namespace_name, std::string(api::name_of(*pod)),
                                          client::PatchType::merge, std::move(patch));
    auto patched = co_await std::move(patching);
    if (patched.code() == base::Code::not_found) continue;
    if (!patched.is_ok()) co_return patched.status();
    claimed.push_back(std::make_shared<const Json>(std::move(*patched)));
  }
  co_return claimed;
}

// Pods of the same owner (all sets of one Deployment) that share a node: crowded nodes lose first.
std::vector<int> ReplicaSetController::related_on_node(const Json& set,
                                                       const std::vector<JsonPtr>& active) const {
  std::map<std::string, int, std::less<>> counts;
  std::vector<std::string> uids = {std::string(api::uid_of(set))};
  const Json& owner = api::controller_of(set);
  if (!owner.is_null())
    for (const auto& sibling : sets_.by_index("controller", owner["uid"].as_string()))
      if (sibling.uid() != uids[0]) uids.emplace_back(sibling.uid());
  for (const std::string& uid : uids)
    for (const auto& object : pods_.by_index("controller", uid)) {
      JsonPtr pod = context_.parsed.parse(object);
      if (is_pod_active(*pod)) ++counts[std::string(pod->at({"spec", "nodeName"}).as_string())];
    }
  std::vector<int> result;
  for (const auto& pod : active) {
    std::string_view node = pod->at({"spec", "nodeName"}).as_string();
    auto found = counts.find(node);
    result.push_back(found == counts.end() || node.empty() ? 0 : found->second);
  }
  return result;
}

Task<Status> ReplicaSetController::sync(std::string key) {
  JsonPtr set = context_.find(sets_, key);
  if (!set) {
    expectations_.forget(key);
    co_return Status::ok();
  }
  const base::Duration wait = expectations_.wait(key);
  if (wait.count() > 0) queue_->add_after(key, wait);
  bool may_scale = wait.count() == 0 && !api::is_being_deleted(*set);
  auto claiming = claim_pods(set);
  auto claimed = co_await std::move(claiming);
  if (!claimed.is_ok()) co_return claimed.status();
  auto outcome = std::make_shared<Outcome>();
  if (may_scale) {
    std::vector<int> related;
    if (static_cast<std::int64_t>(claimed->size()) > set->at({"spec", "replicas"}).as_int(1))
      related = related_on_node(*set, *claimed);
    else
      related.assign(claimed->size(), 0);
    ReplicaPlan plan = plan_replicas(*set, *claimed, related, context_.now());
    if (plan.create > 0) co_await create_pods(set, key, plan.create, outcome);
    if (!plan.remove.empty()) co_await delete_pods(set, key, std::move(plan.remove), outcome);
  }
  Json status =
      plan_replica_status(*set, *claimed, outcome->failure, may_scale && outcome->failed == 0,
                          context_.now(), context_.age_of());
  recheck_availability(*set, *claimed);
  SKIFF_CO_RETURN_IF_ERROR(co_await write_status(set, std::move(status)));
  if (outcome->failed > 0) co_return Status(outcome->code, outcome->failure.message);
  co_return Status::ok();
}

// A ready pod becomes available by time alone: look again when the next one does.
void ReplicaSetController::recheck_availability(const Json& set,
                                                const std::vector<JsonPtr>& active) {
  std::int64_t min_ready = set.at({"spec", "minReadySeconds"}).as_int();
  if (min_ready == 0) return;
  const auto age_of = context_.age_of();
  std::optional<base::Duration> next;
  for (const auto& pod : active) {
    auto since = ready_since(*pod);
    if (!is_pod_ready(*pod) || !since || is_pod_available(*pod, min_ready, age_of)) continue;
    base::Duration rest = std::chrono::seconds(min_ready) - age_of(*since);
    if (!next || rest < *next) next = rest;
  }
  if (next) queue_->add_after(api::object_key(set), *next + std::chrono::milliseconds(1));
}

// A batch of one, then twice as many each time: a quota that refuses is asked only once.
Task<void> ReplicaSetController::create_pods(JsonPtr set, std::string key, std::int64_t count,
                                             OutcomePtr outcome) {
  expectations_.expect_creations(key, static_cast<int>(count));
  std::int64_t left = count;
  auto batch = static_cast<std::int64_t>(kSlowStartBatch);
  while (left > 0 && outcome->failed == 0) {
    batch = std::min(batch, left);
    base::TaskScope scope(context_.executor);
    for (std::int64_t i = 0; i < batch; ++i) scope.spawn(create_pod(set, key, outcome));
    co_await scope.join();
    left -= batch;
    batch *= 2;
  }
  for (std::int64_t i = 0; i < left; ++i) expectations_.creation_observed(key);
}

Task<void> ReplicaSetController::create_pod(JsonPtr set, std::string key, OutcomePtr outcome) {
  Json pod = make_replica_pod(*set);
  auto creating =
      context_.client.create(pods, std::string(api::namespace_of(*set)), std::move(pod));
  auto created = co_await std::move(creating);
  if (created.is_ok()) {
    recorder_->event(*set, EventType::normal, "SuccessfulCreate",
                     base::concat("Created pod: ", api::name_of(*created)));
    co_return;
  }
  expectations_.creation_observed(key);
  ++outcome->failed;
  outcome->code = created.code();
  outcome->failure = {"FailedCreate", std::string(created.status().message())};
  recorder_->event(*set, EventType::warning, "FailedCreate",
                   base::concat("Error creating: ", created.status().message()));
}

Task<void> ReplicaSetController::delete_pods(JsonPtr set, std::string key,
                                             std::vector<JsonPtr> victims, OutcomePtr outcome) {
  std::set<std::string> uids;
  for (const auto& pod : victims) uids.emplace(api::uid_of(*pod));
  expectations_.expect_deletions(key, std::move(uids));
  base::TaskScope scope(context_.executor);
  for (const auto& pod : victims) scope.spawn(delete_pod(set, key, pod, outcome));
  co_await scope.join();
}

Task<void> ReplicaSetController::delete_pod(JsonPtr set, std::string key, JsonPtr pod,
                                            OutcomePtr outcome) {
  client::DeleteOptions options;
  options.uid = api::uid_of(*pod);
  auto removing = context_.client.remove(pods, std::string(api::namespace_of(*pod)),
                                         std::string(api::name_of(*pod)), options);
  Status removed = co_await std::move(removing);
  if (removed.is_ok()) {
    recorder_->event(*set, EventType::normal, "SuccessfulDelete",
                     base::concat("Deleted pod: ", api::name_of(*pod)));
    co_return;
  }
  expectations_.deletion_observed(key, std::string(api::uid_of(*pod)));
  if (removed.code() == base::Code::not_found) co_return;
  ++outcome->failed;
  outcome->code = removed.code();
  outcome->failure = {"FailedDelete", std::string(removed.message())};
  recorder_->event(*set, EventType::warning, "FailedDelete",
                   base::concat("Error deleting: ", removed.message()));
}

Task<Status> ReplicaSetController::write_status(JsonPtr set, Json status) {
  if ((*set)["status"] == status) co_return Status::ok();
  Json object = *set;
  object.set("status", std::move(status));
  auto updating = context_.client.update(replica_sets, std::move(object), "status");
  auto updated = co_await std::move(updating);
  if (updated.code() == base::Code::not_found) co_return Status::ok();
  co_return updated.status();
}

}  // namespace

std::unique_ptr<Controller> make_replicaset_controller(Context& context) {
  return std::make_unique<ReplicaSetController>(context);
}

}  // namespace skiff::controllers
