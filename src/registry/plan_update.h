// What a stored object becomes when it is created or updated. Pure.
#pragma once

#include <skiff/api/outcome.h>
#include <skiff/base/clock.h>
#include <skiff/codec/json.h>

#include <string>
#include <string_view>

namespace skiff::registry {

// How the generic rules apply to a kind.
struct UpdateRules {
  bool has_status = false;           // status changes only through its subresource
  bool tracks_generation = false;    // metadata.generation counts changes of the wanted state
  bool annotations_count = false;    // … annotations included (deployments)
  bool status_keeps_labels = false;  // labels do not change through status
};

// System metadata of a new object. `uid` is fresh.
void plan_create(const UpdateRules& rules, std::string_view uid, base::WallTime now,
                 codec::Json& object);

// Carries system metadata over from `live`, isolates status, counts the generation.
void plan_update(const UpdateRules& rules, std::string_view subresource, codec::Json& object,
                 const codec::Json& live);

// Whether an update ends the object: it is being deleted, nothing holds it any more and its grace
// period is over.
bool ends_with_update(const codec::Json& object);

// New finalizers on an object that is being deleted; empty when there are none.
std::string forbidden_new_finalizers(const codec::Json& object, const codec::Json& live);

// Equal but for managedFields, which alone are no change.
bool same_content(const codec::Json& object, const codec::Json& live);

}  // namespace skiff::registry
