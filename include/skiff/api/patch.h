// The four kinds of patch. Pure.
#pragma once

#include <skiff/api/errors.h>
#include <skiff/api/schema.h>
#include <skiff/base/clock.h>
#include <skiff/codec/json.h>

#include <string>
#include <string_view>
#include <variant>

namespace skiff::api {

using PatchResult = std::variant<codec::Json, ApiError>;

// RFC 6902; errors are 400 or 422 as upstream's.
PatchResult apply_json_patch(const codec::Json& object, const codec::Json& patch);
// RFC 7396.
codec::Json apply_merge_patch(const codec::Json& object, const codec::Json& patch);
// Kubernetes strategic merge, with $patch, $retainKeys, $setElementOrder, $deleteFromPrimitiveList.
PatchResult apply_strategic_merge_patch(const TypeInfo& type, const codec::Json& object,
                                        const codec::Json& patch);

struct ApplyOptions {
  std::string manager;
  std::string subresource;
  std::string api_version;
  bool force = false;
  base::WallTime now;
};
// Server-side apply (KEP-555) on a live object (null when it is created): merges, tracks
// managedFields. Conflicts are 409 with one cause FieldManagerConflict each.
PatchResult server_side_apply(const TypeInfo& type, const codec::Json& live,
                              const codec::Json& applied, const ApplyOptions& options);
// managedFields after an update by create, update or patch: `changed` against `live` (null for a
// create). Sets metadata.managedFields of the result.
void track_update(const TypeInfo& type, const codec::Json& live, codec::Json& changed,
                  const ApplyOptions& options);

}  // namespace skiff::api
