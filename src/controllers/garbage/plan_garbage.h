// What becomes of an object whose owners go. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controllers/common/objects.h"

namespace skiff::controllers {

inline constexpr std::string_view kForegroundFinalizer = "foregroundDeletion";
inline constexpr std::string_view kOrphanFinalizer = "orphan";

enum class OwnerState : unsigned char {
  solid,    // there, or nobody can tell
  absent,   // surely gone
  waiting,  // being deleted in the foreground: waits for its dependents
};

struct GarbagePlan {
  enum class Action : unsigned char { keep, drop_owners, remove };
  Action action = Action::keep;
  std::vector<std::string> owner_uids;  // drop_owners: those to drop
  std::string propagation_policy;       // remove
  bool is_waited_for = false;           // remove: an owner waits for it, and it has dependents
};

// `states` are those of metadata.ownerReferences, in order.
GarbagePlan plan_garbage(const Json& object, const std::vector<OwnerState>& states,
                         bool has_dependents);

// Merge patches with the object's resourceVersion as precondition.
Json drop_owners_patch(const Json& object, const std::vector<std::string>& owner_uids);
// No owner waits for the object any more.
Json unblock_owners_patch(const Json& object);
Json drop_finalizer_patch(const Json& object, std::string_view finalizer);

}  // namespace skiff::controllers
