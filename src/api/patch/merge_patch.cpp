#include <skiff/api/patch.h>

#include "api/patch/member_index.h"

#include <algorithm>

namespace skiff::api {

using codec::Json;

codec::Json apply_merge_patch(const Json& object, const Json& patch) {
  if (!patch.is_object()) return patch;
  const patch::MemberIndex changes(patch);
  Json result = Json::object();
  auto& members = result.mutable_members();
  for (const auto& member : object.members()) {
    const Json* change = changes.find(member.key);
    if (change == nullptr)
      members.push_back(member);
    else if (!change->is_null())
      members.push_back({member.key, apply_merge_patch(member.value, *change)});
  }
  const patch::MemberIndex before(object);
  for (const auto& change : patch.members())
    if (!change.value.is_null() && before.find(change.key) == nullptr)
      members.push_back({change.key, apply_merge_patch(Json(), change.value)});
  return result;
}

}  // namespace skiff::api
