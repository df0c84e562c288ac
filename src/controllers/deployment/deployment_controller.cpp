#include "controllers/list_of_controllers.h"

#include <skiff/api/selector.h>
#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include <algorithm>

#include "controllers/deployment/plan_deployment_status.h"
#include "controllers/deployment/plan_revision.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::deployments;
using client::resources::replica_sets;
namespace resources = client::resources;

// One sync's picture of a Deployment and its sets; `deployment` is a copy that follows our writes.
struct Rollout {
  Json deployment;
  std::vector<JsonPtr> sets;  // all of them
  JsonPtr new_set;            // among `sets`; null before it is made
  FencePosts posts;

  std::int64_t replicas() const { return deployment.at({"spec", "replicas"}).as_int(1); }
  bool is_rolling() const {
    return deployment.at({"spec", "strategy", "type"}).as_string("RollingUpdate") ==
           "RollingUpdate";
  }
  std::int64_t max_surge() const { return is_rolling() ? posts.surge : 0; }
  std::int64_t max_unavailable() const {
    if (!is_rolling() || replicas() == 0) return 0;
    return std::min(posts.unavailable, replicas());
  }
  std::vector<const Json*> old_sets() const {
    std::vector<const Json*> old;
    for (const auto& set : sets)
      if (set != new_set) old.push_back(set.get());
    return old;
  }
  std::int64_t old_revision_max() const {
    std::int64_t revision = 0;
    for (const Json* set : old_sets()) revision = std::max(revision, revision_of(*set));
    return revision;
  }
  RolloutFacts facts() const {
    RolloutFacts facts;
    facts.replicas = replicas();
    facts.status_replicas = deployment.at({"status", "replicas"}).as_int();
    facts.rolling = is_rolling();
    facts.max_surge = max_surge();
    facts.max_unavailable = max_unavailable();
    if (new_set) facts.new_set = facts_of_set(*new_set);
    for (const Json* set : old_sets()) facts.old_sets.push_back(facts_of_set(*set));
    return facts;
  }
  DeploymentView view() const {
    return DeploymentView{deployment, new_set.get(), old_sets(), max_unavailable()};
  }
};
using RolloutPtr = std::shared_ptr<Rollout>;

class DeploymentController final : public KeyedController {
 public:
  explicit DeploymentController(Context& context)
      : KeyedController(context),
        deployments_(needs(deployments)),
        sets_(needs(replica_sets)),
        pods_(needs(resources::pods)),
        recorder_(context.recorder("deployment-controller")) {
    enqueue_on_change(deployments);
    watch(replica_sets,
          [this](const auto& before, const auto& after) { set_changed(before, after); });
    watch(resources::pods, [this](const auto& before, const auto& after) {
      if (after.empty()) pod_removed(before);
    });
  }
  std::string_view name() const override { return "deployment"; }

 protected:
  Task<Status> sync(std::string key) override;

 private:
  void set_changed(const api::StoredObject& before, const api::StoredObject& after);
  void pod_removed(const api::StoredObject& pod);
  void enqueue_owner(const Json& set);

  Task<Status> claim_sets(RolloutPtr rollout);
  Task<Status> ensure_new_set(RolloutPtr rollout, bool create);
  Task<Status> create_new_set(RolloutPtr rollout);
  Task<Status> update_new_set(RolloutPtr rollout);
  Task<Status> record_revision(RolloutPtr rollout);
  Task<Status> scale(RolloutPtr rollout, ScaleSteps steps, bool annotate_all);
  Task<Status> write_status(RolloutPtr rollout, Json status);
  Task<Status> sync_status(RolloutPtr rollout);
  Task<Status> sync_scale(RolloutPtr rollout);
  Task<Status> roll(RolloutPtr rollout);
  Task<Status> recreate(RolloutPtr rollout);
  Task<Status> finish_step(RolloutPtr rollout);
  Task<Status> clean_history(RolloutPtr rollout);
  bool has_running_old_pods(const Rollout& rollout) const;
  bool mark_pause(Rollout& rollout) const;

  client::Informer& deployments_;
  client::Informer& sets_;
  client::Informer& pods_;
  std::unique_ptr<client::EventRecorder> recorder_;
};

void DeploymentController::enqueue_owner(const Json& set) {
  const Json& owner = api::controller_of(set);
  if (owner["kind"].as_string() == "Deployment") {
    queue_->add(base::concat(api::namespace_of(set), '/', owner["name"].as_string()));
    return;
  }
  if (!owner.is_null()) return;
  // An orphan may match any Deployment of its namespace.
  for (const auto& object : deployments_.list(api::namespace_of(set))) {
    JsonPtr deployment = context_.parsed.parse(object);
    auto selector = api::LabelSelector::from_json(deployment->at({"spec", "selector"}));
    if (selector.is_ok() && selector->matches(set.at({"metadata", "labels"})))
      queue_->add(api::object_key(*deployment));
  }
}

void DeploymentController::set_changed(const api::StoredObject& before,
                                       const api::StoredObject& after) {
  if (!after.empty()) {
    JsonPtr set = context_.parsed.parse(after);
    enqueue_owner(*set);
  }
  if (before.empty()) return;
  JsonPtr old_set = context_.parsed.parse(before);
  if (!api::controller_of(*old_set).is_null()) enqueue_owner(*old_set);
}

// Recreate waits for the last old pod.
void DeploymentController::pod_removed(const api::StoredObject& pod) {
  JsonPtr tree = context_.parsed.parse(pod);
  const Json& owner = api::controller_of(*tree);
  if (owner["kind"].as_string() != "ReplicaSet") return;
  std::string key = base::concat(api::namespace_of(*tree), '/', owner["name"].as_string());
  JsonPtr set = context_.find(sets_, key);
  if (set) enqueue_owner(*set);
}

Task<Status> DeploymentController::claim_sets(RolloutPtr rollout) {
  const Json& deployment = rollout->deployment;
  std::string_view uid = api::uid_of(deployment);
  auto selector = api::LabelSelector::from_json(deployment.at({"spec", "selector"}));
  if (!selector.is_ok()) co_return selector.status();
  std::string namespace_name(api::namespace_of(deployment));
  for (const auto& set : context_.parse_all(sets_.by_index("controller", uid))) {
    if (selector->matches(set->at({"metadata", "labels"}))) {
      rollout->sets.push_back(set);
      continue;
    }
    if (api::is_being_deleted(*set)) continue;
    Json patch = release_patch(*set, uid);
    auto patching =
        context_.client.patch(replica_sets, namespace_name, std::string(api::name_of(*set)),
                              client::PatchType::merge, std::move(patch));
    auto patched = co_await std::move(patching);
    if (!patched.is_ok() && patched.code() != base::Code::not_found) co_return patched.status();
  }
  std::string orphans = base::concat("orphans/", namespace_name);
  for (const auto& set : context_.parse_all(sets_.by_index("controller", orphans))) {
    if (api::is_being_deleted(*set) || !selector->matches(set->at({"metadata", "labels"})))
      continue;
    auto getting =
        context_.client.get(deployments, namespace_name, std::string(api::name_of(deployment)));
    auto fresh = co_await std::move(getting);
    if (!fresh.is_ok()) co_return fresh.status();
    if (api::uid_of(*fresh) != uid || api::is_being_deleted(*fresh)) continue;
    Json patch = adoption_patch(*set, controller_reference(deployment, "apps/v1", "Deployment"));
    auto patching =
        context_.client.patch(replica_sets, namespace_name, std::string(api::name_of(*set)),
                              client::PatchType::merge, std::move(patch));
    auto patched = co_await std::move(patching);
    if (!patched.is_ok()) co_return patched.status();
    rollout->sets.push_back(std::make_shared<const Json>(std::move(*patched)));
  }
  co_return Status::ok();
}

Task<Status> DeploymentController::sync(std::string key) {
  JsonPtr found = context_.find(deployments_, key);
  if (!found) co_return Status::ok();
  auto rollout = std::make_shared<Rollout>();
  rollout->deployment = *found;
  const Json& spec = rollout->deployment["spec"];
  auto selector = api::LabelSelector::from_json(spec["selector"]);
  if (selector.is_ok() && selector->matches_everything()) {
    recorder_->event(*found, client::EventType::warning, "SelectingAll",
                     "This deployment is selecting all pods. A non-empty selector is required.");
    co_return Status::ok();
  }
  const Json& rolling = spec["strategy"]["rollingUpdate"];
  std::int64_t replicas = rollout->replicas();
  rollout->posts =
      resolve_fence_posts(resolve_int_or_percent(rolling["maxSurge"], replicas, true),
                          resolve_int_or_percent(rolling["maxUnavailable"], replicas, false));
  auto claiming = claim_sets(rollout);
  SKIFF_CO_RETURN_IF_ERROR(co_await std::move(claiming));
  for (const auto& set : rollout->sets)
    if (is_same_template((*set)["spec"]["template"], spec["template"]) &&
        (!rollout->new_set || api::name_of(*set) < api::name_of(*rollout->new_set)))
      rollout->new_set = set;

  if (api::is_being_deleted(rollout->deployment)) co_return co_await sync_status(rollout);
  if (mark_pause(*rollout)) {
    Json status = rollout->deployment["status"];
    SKIFF_CO_RETURN_IF_ERROR(co_await write_status(rollout, std::move(status)));
  }
  bool paused = rollout->deployment.at({"spec", "paused"}).as_bool();
  if (paused || is_scaling(rollout->facts())) co_return co_await sync_scale(rollout);
  if (rollout->is_rolling()) co_return co_await roll(rollout);
  co_return co_await recreate(rollout);
}

// Whether the Progressing condition has to tell that the rollout was paused or goes on.
bool DeploymentController::mark_pause(Rollout& rollout) const {
  Json& deployment = rollout.deployment;
  if (!has_progress_deadline(deployment)) return false;
  const Json& condition = api::find_condition(deployment, "Progressing");
  std::string_view reason = condition["reason"].as_string();
  if (reason == "ProgressDeadlineExceeded") return false;
  bool marked = reason == "DeploymentPaused";
  bool paused = deployment.at({"spec", "paused"}).as_bool();
  if (paused == marked) return false;
  return set_deployment_condition(deployment["status"], "Progressing", "Unknown",
                                  paused ? "DeploymentPaused" : "DeploymentResumed",
                                  paused ? "Deployment is paused" : "Deployment is resumed",
                                  context_.now());
}

Task<Status> DeploymentController::sync_status(RolloutPtr rollout) {
  Json status = plan_status(rollout->view(), context_.now());
  co_return co_await write_status(rollout, std::move(status));
}

Task<Status> DeploymentController::sync_scale(RolloutPtr rollout) {
  if (rollout->new_set) SKIFF_CO_RETURN_IF_ERROR(co_await ensure_new_set(rollout, false));
  ScaleSteps steps = plan_scale(rollout->facts());
  SKIFF_CO_RETURN_IF_ERROR(co_await scale(rollout, std::move(steps), true));
  if (rollout->deployment.at({"spec", "paused"}).as_bool())
    SKIFF_CO_RETURN_IF_ERROR(co_await clean_history(rollout));
  co_return co_await sync_status(rollout);
}

Task<Status> DeploymentController::roll(RolloutPtr rollout) {
  SKIFF_CO_RETURN_IF_ERROR(co_await ensure_new_set(rollout, true));
  ScaleSteps steps = plan_rolling_update(rollout->facts());
  SKIFF_CO_RETURN_IF_ERROR(co_await scale(rollout, std::move(steps), false));
  co_return co_await finish_step(rollout);
}

Task<Status> DeploymentController::recreate(RolloutPtr rollout) {
  if (rollout->new_set) SKIFF_CO_RETURN_IF_ERROR(co_await ensure_new_set(rollout, false));
  ScaleSteps down = plan_recreate_down(rollout->facts());
  if (!down.empty()) {
    SKIFF_CO_RETURN_IF_ERROR(co_await scale(rollout, std::move(down), false));
    co_return co_await finish_step(rollout);
  }
  if (has_running_old_pods(*rollout)) co_return co_await finish_step(rollout);
  SKIFF_CO_RETURN_IF_ERROR(co_await ensure_new_set(rollout, true));
  ScaleSteps up;
  if (facts_of_set(*rollout->new_set).replicas != rollout->replicas())
    up.push_back({std::string(api::name_of(*rollout->new_set)), rollout->replicas()});
  SKIFF_CO_RETURN_IF_ERROR(co_await scale(rollout, std::move(up), false));
  co_return co_await finish_step(rollout);
}

bool DeploymentController::has_running_old_pods(const Rollout& rollout) const {
  for (const Json* set : rollout.old_sets())
    for (const auto& pod : pods_.by_index("controller", api::uid_of(*set))) {
      JsonPtr tree = context_.parsed.parse(pod);
      if (!is_pod_terminal(*tree)) return true;
    }
  return false;
}

Task<Status> DeploymentController::finish_step(RolloutPtr rollout) {
  const auto age_of = context_.age_of();
  Json status = plan_rollout_status(rollout->view(), context_.now(), age_of);
  if (is_complete(rollout->deployment, status))
    SKIFF_CO_RETURN_IF_ERROR(co_await clean_history(rollout));
  if (auto after = until_deadline(rollout->deployment, status, age_of))
    queue_->add_after(api::object_key(rollout->deployment), *after);
  co_return co_await write_status(rollout, std::move(status));
}

Task<Status> DeploymentController::ensure_new_set(RolloutPtr rollout, bool create) {
  if (rollout->new_set) co_return co_await update_new_set(rollout);
  if (create) co_return co_await create_new_set(rollout);
  co_return Status::ok();
}

// The set that is there already gets the revision that is due, and the Deployment's annotations.
Task<Status> DeploymentController::update_new_set(RolloutPtr rollout) {
  const Json& set = *rollout->new_set;
  Json annotations = plan_set_annotations(rollout->deployment, set.at({"metadata", "annotations"}),
                                          rollout->old_revision_max(), rollout->max_surge());
  // Those two tell what the set was scaled for: only scaling changes them.
  for (std::string_view own : {kDesiredReplicasAnnotation, kMaxReplicasAnnotation})
    if (!api::annotation(set, own).empty()) annotations.set(own, api::annotation(set, own));
  std::int64_t min_ready = rollout->deployment.at({"spec", "minReadySeconds"}).as_int();
  bool same = annotations == set.at({"metadata", "annotations"}) &&
              min_ready == set.at({"spec", "minReadySeconds"}).as_int();
  if (!same) {
    Json patch = Json::object();
    patch["metadata"].set("annotations", std::move(annotations));
    patch["spec"].set("minReadySeconds", min_ready);
    auto patching = context_.client.patch(replica_sets, std::string(api::namespace_of(set)),
                                          std::string(api::name_of(set)), client::PatchType::merge,
                                          std::move(patch));
    auto patched = co_await std::move(patching);
    if (!patched.is_ok()) co_return patched.status();
    auto fresh = std::make_shared<const Json>(std::move(*patched));
    std::replace(rollout->sets.begin(), rollout->sets.end(), rollout->new_set, JsonPtr(fresh));
    rollout->new_set = fresh;
  }
  if (has_progress_deadline(rollout->deployment) &&
      api::find_condition(rollout->deployment, "Progressing").is_null()) {
    std::string message =
        base::concat("Found new replica set ", base::quote(api::name_of(*rollout->new_set)));
    set_deployment_condition(rollout->deployment["status"], "Progressing", "True",
                             "FoundNewReplicaSet", message, context_.now());
  }
  co_return co_await record_revision(rollout);
}

Task<Status> DeploymentController::record_revision(RolloutPtr rollout) {
  std::string revision(api::annotation(*rollout->new_set, kRevisionAnnotation));
  Json& deployment = rollout->deployment;
  if (api::annotation(deployment, kRevisionAnnotation) == revision) co_return Status::ok();
  Json patch = Json::object();
  patch["metadata"]["annotations"].set(kRevisionAnnotation, revision);
  patch["metadata"].set("uid", deployment.at({"metadata", "uid"}));
  // By its status: an annotation that a user changes makes another generation, this one none.
  auto patching = context_.client.patch(
      deployments, std::string(api::namespace_of(deployment)),
      std::string(api::name_of(deployment)), client::PatchType::merge, std::move(patch), "status");
  auto patched = co_await std::move(patching);
  if (!patched.is_ok()) co_return patched.status();
  // Keep the status that this sync works on: it may have gained a condition already.
  Json status = deployment["status"];
  Json spec = deployment["spec"];
  deployment = std::move(*patched);
  if (deployment["spec"] != spec) co_return base::conflict("the deployment changed meanwhile");
  deployment.set("status", std::move(status));
  co_return Status::ok();
}

Task<Status> DeploymentController::create_new_set(RolloutPtr rollout) {
  Json& deployment = rollout->deployment;
  std::int64_t collisions = deployment.at({"status", "collisionCount"}).as_int();
  std::string hash = template_hash(deployment.at({"spec", "template"}), collisions);
  std::int64_t replicas = plan_new_set_replicas(rollout->facts());
  Json annotations =
      plan_set_annotations(deployment, nullptr, rollout->old_revision_max(), rollout->max_surge());
  Json set = make_new_set(deployment, replicas, std::move(annotations), hash);
  std::string namespace_name(api::namespace_of(deployment)), name(api::name_of(set));
  auto creating = context_.client.create(replica_sets, namespace_name, std::move(set));
  auto created = co_await std::move(creating);
  if (created.code() == base::Code::already_exists) {
    auto getting = context_.client.get(replica_sets, namespace_name, name);
    auto present = co_await std::move(getting);
    if (!present.is_ok()) co_return present.status();
    if (!is_controlled_by(*present, deployment) ||
        !is_same_template(present->at({"spec", "template"}), deployment.at({"spec", "template"}))) {
      // Another template has this hash: the next try hashes with a higher count.
      Json status = deployment["status"];
      status.set("collisionCount", collisions + 1);
      SKIFF_CO_RETURN_IF_ERROR(co_await write_status(rollout, std::move(status)));
      co_return created.status();
    }
    created = std::move(present);
  } else if (!created.is_ok()) {
    std::string message = base::concat("Failed to create new replica set ", base::quote(name), ": ",
                                       created.status().message());
    recorder_->event(deployment, client::EventType::warning, "ReplicaSetCreateError", message);
    if (has_progress_deadline(deployment)) {
      Json status = deployment["status"];
      set_deployment_condition(status, "Progressing", "False", "ReplicaSetCreateError",
                               created.status().message(), context_.now());
      Status written = co_await write_status(rollout, std::move(status));
      if (!written.is_ok()) base::log_debug("status not written", {{"error", written}});
    }
    co_return created.status();
  } else {
    if (replicas > 0)
      recorder_->event(deployment, client::EventType::normal, "ScalingReplicaSet",
                       base::concat("Scaled up replica set ", name, " from 0 to ", replicas));
    if (has_progress_deadline(deployment))
      set_deployment_condition(deployment["status"], "Progressing", "True", "NewReplicaSetCreated",
                               base::concat("Created new replica set ", base::quote(name)),
                               context_.now());
  }
  rollout->new_set = std::make_shared<const Json>(std::move(*created));
  rollout->sets.push_back(rollout->new_set);
  co_return co_await record_revision(rollout);
}

Task<Status> DeploymentController::scale(RolloutPtr rollout, ScaleSteps steps, bool annotate_all) {
  std::string desired = std::to_string(rollout->replicas());
  std::string maximum = std::to_string(rollout->replicas() + rollout->max_surge());
  if (annotate_all)
    for (const auto& set : rollout->sets) {
      auto is_this = [&](const ScaleStep& step) { return step.name == api::name_of(*set); };
      std::int64_t replicas = facts_of_set(*set).replicas;
      if (replicas > 0 && std::none_of(steps.begin(), steps.end(), is_this))
        steps.push_back({std::string(api::name_of(*set)), replicas});
    }
  for (const ScaleStep& step : steps) {
    auto is_this = [&](const JsonPtr& set) { return api::name_of(*set) == step.name; };
    auto found = std::find_if(rollout->sets.begin(), rollout->sets.end(), is_this);
    JsonPtr set = *found;
    std::int64_t before = facts_of_set(*set).replicas;
    if (before == step.replicas && api::annotation(*set, kDesiredReplicasAnnotation) == desired &&
        api::annotation(*set, kMaxReplicasAnnotation) == maximum)
      continue;
    Json patch = Json::object();
    patch["metadata"].set("resourceVersion", set->at({"metadata", "resourceVersion"}));
    patch["metadata"]["annotations"].set(kDesiredReplicasAnnotation, desired);
    patch["metadata"]["annotations"].set(kMaxReplicasAnnotation, maximum);
    patch["spec"].set("replicas", step.replicas);
    auto patching = context_.client.patch(replica_sets, std::string(api::namespace_of(*set)),
                                          step.name, client::PatchType::merge, std::move(patch));
    auto patched = co_await std::move(patching);
    if (!patched.is_ok()) co_return patched.status();
    auto fresh = std::make_shared<const Json>(std::move(*patched));
    if (rollout->new_set == set) rollout->new_set = fresh;
    *std::find(rollout->sets.begin(), rollout->sets.end(), set) = fresh;
    if (before == step.replicas) continue;
    recorder_->event(
        rollout->deployment, client::EventType::normal, "ScalingReplicaSet",
        base::concat("Scaled ", before < step.replicas ? "up" : "down", " replica set ", step.name,
                     " from ", before, " to ", step.replicas));
  }
  co_return Status::ok();
}

Task<Status> DeploymentController::clean_history(RolloutPtr rollout) {
  std::vector<const Json*> old_sets = rollout->old_sets();
  for (const Json* set : plan_history_cleanup(rollout->deployment, old_sets)) {
    client::DeleteOptions options;
    options.uid = api::uid_of(*set);
    auto removing = context_.client.remove(replica_sets, std::string(api::namespace_of(*set)),
                                           std::string(api::name_of(*set)), options);
    Status removed = co_await std::move(removing);
    if (!removed.is_ok() && removed.code() != base::Code::not_found) co_return removed;
  }
  co_return Status::ok();
}

Task<Status> DeploymentController::write_status(RolloutPtr rollout, Json status) {
  std::string key = api::object_key(rollout->deployment);
  JsonPtr stored = context_.find(deployments_, key);
  if (stored && (*stored)["status"] == status &&
      api::uid_of(*stored) == api::uid_of(rollout->deployment))
    co_return Status::ok();
  Json object = rollout->deployment;
  object.set("status", std::move(status));
  auto updating = context_.client.update(deployments, std::move(object), "status");
  auto updated = co_await std::move(updating);
  if (!updated.is_ok()) co_return updated.status();
  rollout->deployment = std::move(*updated);
  co_return Status::ok();
}

}  // namespace

std::unique_ptr<Controller> make_deployment_controller(Context& context) {
  return std::make_unique<DeploymentController>(context);
}

}  // namespace skiff::controllers
