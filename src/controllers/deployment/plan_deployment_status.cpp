#include "controllers/deployment/plan_deployment_status.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <limits>

namespace skiff::controllers {

namespace {

// Reasons of Progressing after which no deadline counts.
constexpr std::string_view kWasComplete = "NewReplicaSetAvailable";
constexpr std::string_view kTimedOut = "ProgressDeadlineExceeded";

std::int64_t status_int(const Json& object, std::string_view field) {
  return object.at({"status", field}).as_int();
}

std::int64_t replicas_of(const Json& object) { return object.at({"spec", "replicas"}).as_int(1); }

std::int64_t sum(const DeploymentView& view, std::string_view field) {
  std::int64_t total = view.new_set ? status_int(*view.new_set, field) : 0;
  for (const Json* set : view.old_sets) total += status_int(*set, field);
  return total;
}

std::string subject(const DeploymentView& view) {
  if (view.new_set) return base::concat("ReplicaSet ", base::quote(api::name_of(*view.new_set)));
  return base::concat("Deployment ", base::quote(api::name_of(view.deployment)));
}

bool is_progressing(const Json& deployment, const Json& status) {
  const Json& before = deployment["status"];
  auto grew = [&](std::string_view field) {
    return status[field].as_int() > before[field].as_int();
  };
  std::int64_t old_now = status["replicas"].as_int() - status["updatedReplicas"].as_int();
  std::int64_t old_before = before["replicas"].as_int() - before["updatedReplicas"].as_int();
  return grew("updatedReplicas") || old_now < old_before || grew("readyReplicas") ||
         grew("availableReplicas");
}

bool is_timed_out(const Json& deployment, const Json& status, const base::AgeOf& age_of) {
  const Json& condition = condition_of(status["conditions"], "Progressing");
  if (condition.is_null()) return false;
  std::string_view reason = condition["reason"].as_string();
  if (reason == kWasComplete) return false;
  if (reason == kTimedOut) return true;
  auto from = time_at(condition, {"lastUpdateTime"});
  auto deadline = deployment.at({"spec", "progressDeadlineSeconds"}).as_int();
  return from && age_of(*from) > std::chrono::seconds(deadline);
}

void set_replica_failure(const DeploymentView& view, Json& status, base::WallTime now) {
  std::vector<const Json*> sets;
  if (view.new_set) sets.push_back(view.new_set);
  sets.insert(sets.end(), view.old_sets.begin(), view.old_sets.end());
  for (const Json* set : sets) {
    const Json& failure = api::find_condition(*set, "ReplicaFailure");
    if (failure.is_null()) continue;
    set_deployment_condition(status, "ReplicaFailure", failure["status"].as_string(),
                             failure["reason"].as_string(), failure["message"].as_string(), now);
    return;
  }
  remove_condition(status["conditions"], "ReplicaFailure");
}

void set_progress(const DeploymentView& view, Json& status, base::WallTime now,
                  const base::AgeOf& age_of) {
  const Json& deployment = view.deployment;
  const Json& seen = status;  // reading through `status` would add what is absent
  const Json current = condition_of(seen["conditions"], "Progressing");
  bool was_complete =
      seen["replicas"] == seen["updatedReplicas"] && current["reason"].as_string() == kWasComplete;
  if (was_complete) return;
  if (is_complete(deployment, status)) {
    set_deployment_condition(status, "Progressing", "True", kWasComplete,
                             base::concat(subject(view), " has successfully progressed."), now);
  } else if (is_progressing(deployment, status)) {
    // Replaced as a whole: lastUpdateTime is what the deadline counts from.
    remove_condition(status["conditions"], "Progressing");
    set_deployment_condition(status, "Progressing", "True", "ReplicaSetUpdated",
                             base::concat(subject(view), " is progressing."), now);
    if (current["status"].as_string() == "True")
      for (Json& condition : status["conditions"].mutable_items())
        if (condition["type"].as_string() == "Progressing")
          condition.set("lastTransitionTime", current["lastTransitionTime"]);
  } else if (is_timed_out(deployment, status, age_of)) {
    set_deployment_condition(status, "Progressing", "False", kTimedOut,
                             base::concat(subject(view), " has timed out progressing."), now);
  }
}

}  // namespace

bool has_progress_deadline(const Json& deployment) {
  const Json& deadline = deployment.at({"spec", "progressDeadlineSeconds"});
  return deadline.is_int() && deadline.as_int() != std::numeric_limits<std::int32_t>::max();
}

bool set_deployment_condition(Json& status, std::string_view type, std::string_view state,
                              std::string_view reason, std::string_view message,
                              base::WallTime now) {
  Json& conditions = status["conditions"];
  const Json current = condition_of(conditions, type);
  bool same_state = !current.is_null() && current["status"].as_string() == state;
  if (same_state && current["reason"].as_string() == reason) return false;
  std::string time = base::format_rfc3339(now);
  Json condition = Json::object({{"type", type},
                                 {"status", state},
                                 {"lastUpdateTime", time},
                                 {"lastTransitionTime", time},
                                 {"reason", reason},
                                 {"message", message}});
  if (same_state) condition.set("lastTransitionTime", current["lastTransitionTime"]);
  remove_condition(conditions, type);
  if (!conditions.is_array()) conditions = Json::array();
  conditions.push_back(std::move(condition));
  return true;
}

Json plan_status(const DeploymentView& view, base::WallTime now) {
  const Json& before = view.deployment["status"];
  std::int64_t available = sum(view, "availableReplicas");
  std::int64_t total = 0;
  if (view.new_set) total += replicas_of(*view.new_set);
  for (const Json* set : view.old_sets) total += replicas_of(*set);

  Json status = Json::object();
  auto put = [&](std::string_view field, std::int64_t value) {
    if (value != 0) status.set(field, value);
  };
  put("observedGeneration", view.deployment.at({"metadata", "generation"}).as_int());
  put("replicas", sum(view, "replicas"));
  put("updatedReplicas", view.new_set ? status_int(*view.new_set, "replicas") : 0);
  put("readyReplicas", sum(view, "readyReplicas"));
  put("availableReplicas", available);
  put("unavailableReplicas", std::max<std::int64_t>(0, total - available));
  if (before.contains("collisionCount")) status.set("collisionCount", before["collisionCount"]);
  status.set("conditions", before["conditions"].is_array() ? before["conditions"] : Json::array());
  if (available >= replicas_of(view.deployment) - view.max_unavailable)
    set_deployment_condition(status, "Available", "True", "MinimumReplicasAvailable",
                             "Deployment has minimum availability.", now);
  else
    set_deployment_condition(status, "Available", "False", "MinimumReplicasUnavailable",
                             "Deployment does not have minimum availability.", now);
  return status;
}

bool is_complete(const Json& deployment, const Json& status) {
  std::int64_t replicas = replicas_of(deployment);
  return status["updatedReplicas"].as_int() == replicas &&
         status["replicas"].as_int() == replicas &&
         status["availableReplicas"].as_int() == replicas &&
         status["observedGeneration"].as_int() >=
             deployment.at({"metadata", "generation"}).as_int();
}

Json plan_rollout_status(const DeploymentView& view, base::WallTime now,
                         const base::AgeOf& age_of) {
  Json status = plan_status(view, now);
  if (has_progress_deadline(view.deployment))
    set_progress(view, status, now, age_of);
  else
    remove_condition(status["conditions"], "Progressing");
  set_replica_failure(view, status, now);
  return status;
}

std::optional<base::Duration> until_deadline(const Json& deployment, const Json& status,
                                             const base::AgeOf& age_of) {
  const Json& condition = condition_of(status["conditions"], "Progressing");
  if (!has_progress_deadline(deployment) || condition.is_null()) return std::nullopt;
  const auto reason = condition["reason"].as_string();
  if (is_complete(deployment, status) || reason == kWasComplete || reason == kTimedOut)
    return std::nullopt;
  auto from = time_at(condition, {"lastUpdateTime"});
  if (!from) return std::nullopt;
  auto deadline = deployment.at({"spec", "progressDeadlineSeconds"}).as_int();
  const base::Duration after = std::chrono::seconds(deadline + 1) - age_of(*from);
  return std::max<base::Duration>(after, std::chrono::seconds(1));
}

}  // namespace skiff::controllers
