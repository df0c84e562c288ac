#include "registry/plan_delete.h"

#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::registry {

using codec::Json;

namespace {

constexpr std::string_view kOrphan = "orphan";
constexpr std::string_view kForeground = "foregroundDeletion";

void set_finalizer(Json& metadata, std::string_view finalizer, bool present) {
  auto& items = metadata["finalizers"];
  if (items.is_null()) {
    metadata.erase("finalizers");
    if (!present) return;
    metadata.set("finalizers", Json::array({Json(finalizer)}));
    return;
  }
  auto& list = items.mutable_items();
  auto at = std::find(list.begin(), list.end(), Json(finalizer));
  if (present && at == list.end()) list.emplace_back(finalizer);
  if (!present && at != list.end()) list.erase(at);
  if (list.empty()) metadata.erase("finalizers");
}

void set_propagation(Json& metadata, std::string_view policy) {
  if (policy.empty()) return;
  set_finalizer(metadata, kOrphan, policy == "Orphan");
  set_finalizer(metadata, kForeground, policy == "Foreground");
}

void mark_deleted(Json& object, std::int64_t grace_seconds, base::WallTime now) {
  Json& metadata = object["metadata"];
  const Json& before = metadata;
  const bool first = !before["deletionTimestamp"].is_string();
  auto end = now + std::chrono::seconds(grace_seconds);
  metadata.set("deletionTimestamp", base::format_rfc3339(end));
  metadata.set("deletionGracePeriodSeconds", Json(static_cast<long long>(grace_seconds)));
  if (auto generation = before["generation"].as_int(); first && generation > 0) {
    metadata.set("generation", generation + 1);
  }
}

// A namespace waits for its contents: its spec.finalizers hold it.
DeletePlan plan_namespace_delete(Json object, base::WallTime now) {
  if (api::is_being_deleted(object)) {
    return {DeletePlan::Action::nothing, {}};
  }
  mark_deleted(object, 0, now);
  object["metadata"].erase("deletionGracePeriodSeconds");
  object["status"].set("phase", "Terminating");
  return {DeletePlan::Action::update, std::move(object)};
}

}  // namespace

std::optional<std::int64_t> pod_grace_period(const Json& live, std::optional<std::int64_t> asked) {
  std::int64_t grace = 30;
  if (asked) {
    grace = *asked;
  } else if (const Json* own = live["spec"].find("terminationGracePeriodSeconds")) {
    grace = own->as_int(30);
  }
  if (live["spec"]["nodeName"].as_string().empty()) return 0;
  auto phase = live["status"]["phase"].as_string();
  if (phase == "Succeeded" || phase == "Failed") return 0;
  return grace < 0 ? 1 : grace;
}

api::Outcome<> check_preconditions(const Scope& scope, const Json& live,
                                   const DeleteOptions& options) {
  auto fail = [&](std::string_view what, std::string_view wanted, std::string_view found) {
    return api::conflict_error(scope.resource->group, scope.resource->resource, scope.name,
                               base::concat("Precondition failed: ", what, " in precondition: ",
                                            wanted, ", ", what, " in object meta: ", found));
  };
  if (!options.uid.empty() && options.uid != api::uid_of(live)) {
    return fail("UID", options.uid, api::uid_of(live));
  }
  if (!options.resource_version.empty() &&
      options.resource_version != api::resource_version_of(live)) {
    return fail("ResourceVersion", options.resource_version, api::resource_version_of(live));
  }
  return api::Done{};
}

DeletePlan plan_delete(const Json& live, const DeleteOptions& options, GracePeriod grace_of,
                       bool is_namespace, base::WallTime now) {
  Json object = live;
  const Json& wanted = object;
  set_propagation(object["metadata"], options.propagation_policy);
  if (is_namespace && !wanted["spec"]["finalizers"].empty()) {
    return plan_namespace_delete(std::move(object), now);
  }
  const bool being_deleted = api::is_being_deleted(live);
  const bool held = !wanted["metadata"]["finalizers"].empty();
  std::int64_t grace = 0;
  if (grace_of != nullptr) {
    if (being_deleted && !options.grace_period_seconds) {
      // A second delete without a grace period of its own waits for the first.
      grace = live["metadata"]["deletionGracePeriodSeconds"].as_int(0);
    } else {
      grace = grace_of(live, options.grace_period_seconds).value_or(0);
      if (being_deleted) {
        grace = std::min(grace, live["metadata"]["deletionGracePeriodSeconds"].as_int(0));
      }
    }
  }
  if (grace == 0 && !held) return {DeletePlan::Action::remove, {}};
  const bool shorter =
      being_deleted && grace < live["metadata"]["deletionGracePeriodSeconds"].as_int(0);
  if (!being_deleted || shorter) mark_deleted(object, grace, now);
  if (object == live) return {DeletePlan::Action::nothing, {}};
  return {DeletePlan::Action::update, std::move(object)};
}

}  // namespace skiff::registry
