// The rules of each kind. Every function reads a defaulted object.
#pragma once

#include "api/rules/error_list.h"
#include "api/rules/metadata.h"

#include <string_view>

namespace skiff::api::rules {

using CreateRules = void (*)(const codec::Json& object, ErrorList& errors);
// `object` against `old_object` after an update of the object itself ("") or a subresource.
using UpdateRules = void (*)(const codec::Json& object, const codec::Json& old_object,
                             std::string_view subresource, ErrorList& errors);

struct KindRules {
  std::string_view group, kind;
  NameCheck name_check = check_path_segment_name;
  CreateRules on_create = nullptr;
  UpdateRules on_update = nullptr;
};

// The rules of a kind; a row with path segment names for kinds that have none of their own.
const KindRules& rules_of(std::string_view group, std::string_view kind);

}  // namespace skiff::api::rules
