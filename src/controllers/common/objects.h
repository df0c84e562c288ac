// Facts about pods and owners, and the pieces of objects that several controllers write. Pure.
#pragma once

#include <skiff/api/object.h>
#include <skiff/api/summary.h>
#include <skiff/base/age.h>
#include <skiff/base/clock.h>
#include <skiff/client/client.h>
#include <skiff/codec/json.h>

#include <optional>
#include <string>
#include <string_view>

namespace skiff::controllers {

using codec::Json;

bool is_pod_terminal(const Json& pod);  // Succeeded or Failed
bool is_pod_terminal(const api::ObjectSummary& pod);
// Neither terminal nor being deleted.
bool is_pod_active(const Json& pod);
bool is_pod_ready(const Json& pod);
// When the Ready condition became what it is.
std::optional<base::WallTime> ready_since(const Json& pod);
// Ready for at least `min_ready_seconds`.
bool is_pod_available(const Json& pod, std::int64_t min_ready_seconds, const base::AgeOf& age_of);

std::optional<base::WallTime> time_at(const Json& object,
                                      std::initializer_list<std::string_view> path);

// metadata.ownerReferences entry with controller and blockOwnerDeletion.
Json controller_reference(const Json& owner, std::string_view api_version, std::string_view kind);
bool is_controlled_by(const Json& object, const Json& owner);

// A merge patch that makes `reference` an owner of the object with this uid, or lets `owner_uid`
// go.
Json adoption_patch(const Json& object, Json reference);
Json release_patch(const Json& object, std::string_view owner_uid);

// int or "25%" of `total`.
std::int64_t resolve_int_or_percent(const Json& value, std::int64_t total, bool round_up);

// Members sorted at every level: equal values give equal text.
std::string canonical_text(const Json& value);

// Sets or replaces the condition of its type in `conditions`. The times are kept when the status
// (lastTransitionTime) stays. Returns whether anything but a time changed.
bool set_condition(Json& conditions, std::string_view type, std::string_view status,
                   std::string_view reason, std::string_view message, base::WallTime now);
const Json& condition_of(const Json& conditions, std::string_view type);
bool remove_condition(Json& conditions, std::string_view type);

}  // namespace skiff::controllers
