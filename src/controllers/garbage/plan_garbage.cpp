#include "controllers/garbage/plan_garbage.h"

#include <algorithm>

namespace skiff::controllers {

GarbagePlan plan_garbage(const Json& object, const std::vector<OwnerState>& states,
                         bool has_dependents) {
  GarbagePlan plan;
  const auto& owners = object.at({"metadata", "ownerReferences"}).items();
  bool solid = false, waiting = false;
  for (std::size_t i = 0; i < owners.size(); ++i) {
    solid |= states[i] == OwnerState::solid;
    waiting |= states[i] == OwnerState::waiting;
    if (states[i] != OwnerState::solid) plan.owner_uids.emplace_back(owners[i]["uid"].as_string());
  }
  if (owners.empty() || plan.owner_uids.empty()) return plan;
  if (solid) {
    plan.action = GarbagePlan::Action::drop_owners;
    return plan;
  }
  plan.action = GarbagePlan::Action::remove;
  plan.is_waited_for = waiting && has_dependents;
  if (plan.is_waited_for)
    plan.propagation_policy = "Foreground";
  else if (api::has_finalizer(object, kOrphanFinalizer))
    plan.propagation_policy = "Orphan";
  else if (api::has_finalizer(object, kForegroundFinalizer))
    plan.propagation_policy = "Foreground";
  else
    plan.propagation_policy = "Background";
  return plan;
}

namespace {

Json metadata_patch(const Json& object, std::string_view field, Json value) {
  Json metadata = Json::object({{"uid", object.at({"metadata", "uid"})},
                                {"resourceVersion", object.at({"metadata", "resourceVersion"})}});
  metadata.set(field, std::move(value));
  return Json::object({{"metadata", std::move(metadata)}});
}

}  // namespace

Json drop_owners_patch(const Json& object, const std::vector<std::string>& owner_uids) {
  Json kept = Json::array();
  for (const Json& owner : object.at({"metadata", "ownerReferences"}).items())
    if (std::find(owner_uids.begin(), owner_uids.end(), owner["uid"].as_string()) ==
        owner_uids.end())
      kept.push_back(owner);
  return metadata_patch(object, "ownerReferences", std::move(kept));
}

Json unblock_owners_patch(const Json& object) {
  Json owners = object.at({"metadata", "ownerReferences"});
  for (Json& owner : owners.mutable_items()) owner.set("blockOwnerDeletion", false);
  return metadata_patch(object, "ownerReferences", std::move(owners));
}

Json drop_finalizer_patch(const Json& object, std::string_view finalizer) {
  Json kept = Json::array();
  for (const Json& present : object.at({"metadata", "finalizers"}).items())
    if (present.as_string() != finalizer) kept.push_back(present);
  return metadata_patch(object, "finalizers", std::move(kept));
}

}  // namespace skiff::controllers
