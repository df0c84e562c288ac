// Strict validation of patches, in upstream's words: what the patch says twice or of no field, and
// how the refusal shows it. Pure.
#pragma once

#include <skiff/api/errors.h>
#include <skiff/codec/json.h>

#include <string>
#include <vector>

#include "apiserver/handlers/handlers.h"

namespace skiff::apiserver {

// Of the patch itself; `duplicates` are the paths of its repeated members.
std::vector<std::string> patch_notes(PatchKind kind, const codec::Json& patch,
                                     const std::vector<std::string>& duplicates);

// 422 with the notes. A strategic patch is shown as it came, of the others what they make.
api::ApiError strict_patch_error(PatchKind kind, const codec::Json& patch,
                                 const codec::Json& patched, const std::vector<std::string>& notes);

}  // namespace skiff::apiserver
