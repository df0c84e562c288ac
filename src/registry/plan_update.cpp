#include <skiff/api/outcome.h>

#include "registry/plan_update.h"

#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::registry {

using codec::Json;

namespace {

// Members of metadata that a client cannot empty by leaving them out.
constexpr std::string_view kKeptWhenAbsent[] = {"uid", "creationTimestamp", "namespace", "name",
                                                "generateName"};
// Members that only the server sets.
constexpr std::string_view kServerOnly[] = {"deletionTimestamp", "deletionGracePeriodSeconds",
                                            "generation", "selfLink"};

void keep(Json& metadata, const Json& live_metadata, std::string_view member) {
  if (const Json* value = live_metadata.find(member)) {
    metadata.set(member, *value);
  } else {
    metadata.erase(member);
  }
}

void copy_member(Json& object, const Json& live, std::string_view member) {
  if (const Json* value = live.find(member)) {
    object.set(member, *value);
  } else {
    object.erase(member);
  }
}

// Everything but `status` and metadata comes from the live object.
void isolate_status(const UpdateRules& rules, Json& object, const Json& live) {
  Json result = live;
  copy_member(result, object, "status");
  Json metadata = object["metadata"];
  keep(metadata, live["metadata"], "ownerReferences");
  if (rules.status_keeps_labels) keep(metadata, live["metadata"], "labels");
  result.set("metadata", std::move(metadata));
  object = std::move(result);
}

bool wanted_state_differs(const UpdateRules& rules, const Json& object, const Json& live) {
  if (rules.annotations_count &&
      object["metadata"]["annotations"] != live["metadata"]["annotations"]) {
    return true;
  }
  for (const auto& member : object.members()) {
    if (member.key == "metadata" || member.key == "status") continue;
    if (member.value != live[member.key]) return true;
  }
  for (const auto& member : live.members()) {
    if (member.key == "metadata" || member.key == "status") continue;
    if (!object.contains(member.key)) return true;
  }
  return false;
}

}  // namespace

void plan_create(const UpdateRules& rules, std::string_view uid, base::WallTime now, Json& object) {
  Json& metadata = object["metadata"];
  for (auto member : kServerOnly) metadata.erase(member);
  metadata.erase("resourceVersion");
  metadata.erase("managedFields");
  metadata.set("uid", uid);
  metadata.set("creationTimestamp", base::format_rfc3339(now));
  if (rules.tracks_generation) metadata.set("generation", 1);
}

void plan_update(const UpdateRules& rules, std::string_view subresource, Json& object,
                 const Json& live) {
  const Json& live_metadata = live["metadata"];
  if (subresource == "status") {
    isolate_status(rules, object, live);
  } else if (rules.has_status && subresource != "binding") {
    copy_member(object, live, "status");
  }
  Json& metadata = object["metadata"];
  for (auto member : kKeptWhenAbsent) {
    if (metadata[member].as_string().empty()) keep(metadata, live_metadata, member);
  }
  for (auto member : kServerOnly) keep(metadata, live_metadata, member);
  if (rules.tracks_generation && subresource != "status" && subresource != "binding" &&
      wanted_state_differs(rules, object, live)) {
    metadata.set("generation", live_metadata["generation"].as_int() + 1);
  }
}

bool ends_with_update(const Json& object) {
  const Json& metadata = object["metadata"];
  return metadata["deletionTimestamp"].is_string() && metadata["finalizers"].empty() &&
         metadata["deletionGracePeriodSeconds"].as_int(0) == 0;
}

std::string forbidden_new_finalizers(const Json& object, const Json& live) {
  if (!live["metadata"]["deletionTimestamp"].is_string()) return {};
  const auto& before = live["metadata"]["finalizers"].items();
  std::string found;
  for (const auto& finalizer : object["metadata"]["finalizers"].items()) {
    if (std::find(before.begin(), before.end(), finalizer) != before.end()) continue;
    if (!found.empty()) found += ", ";
    found += base::quote(finalizer.as_string());
  }
  return found;
}

namespace {

using SameMember = bool (*)(std::string_view key, const Json& a, const Json& b);

bool has_but(const Json& a, const Json& b, std::string_view left_out, SameMember is_same) {
  return std::all_of(a.members().begin(), a.members().end(), [&](const auto& member) {
    if (member.key == left_out) return true;
    const Json* other = b.find(member.key);
    return other != nullptr && is_same(member.key, member.value, *other);
  });
}

// Whether two objects are equal but for a member.
bool same_but(const Json& a, const Json& b, std::string_view left_out, SameMember is_same) {
  if (!a.is_object() || !b.is_object()) return a == b;
  const std::size_t a_size = a.size() - (a.contains(left_out) ? 1 : 0);
  const std::size_t b_size = b.size() - (b.contains(left_out) ? 1 : 0);
  return a_size == b_size && has_but(a, b, left_out, is_same);
}

bool same_value(std::string_view, const Json& a, const Json& b) { return a == b; }

// Times of managedFields entries alone are no change.
bool same_entries(const Json& a, const Json& b) {
  if (!a.is_array() || !b.is_array()) return a == b;
  return std::equal(
      a.items().begin(), a.items().end(), b.items().begin(), b.items().end(),
      [](const Json& x, const Json& y) { return same_but(x, y, "time", same_value); });
}

bool same_in_metadata(std::string_view key, const Json& a, const Json& b) {
  return key == "managedFields" ? same_entries(a, b) : a == b;
}

bool same_in_object(std::string_view key, const Json& a, const Json& b) {
  return key == "metadata" ? same_but(a, b, "resourceVersion", same_in_metadata) : a == b;
}

}  // namespace

bool same_content(const Json& object, const Json& live) {
  return same_but(object, live, {}, same_in_object);
}

}  // namespace skiff::registry
