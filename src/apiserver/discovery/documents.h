// Discovery documents, made from the table of kinds when they are asked for.
#pragma once

#include <skiff/codec/json.h>

#include <string>
#include <string_view>

namespace skiff::apiserver {

codec::Json api_versions(std::string_view server_address);  // /api
codec::Json api_group_list();                               // /apis
codec::Json api_group(std::string_view group);              // /apis/<group>; null = none
codec::Json api_resource_list(std::string_view group, std::string_view version);  // null = none
// APIGroupDiscoveryList of /api (`core`) or /apis; `version` is "v2" or "v2beta1".
codec::Json aggregated_discovery(bool core, std::string_view version);

// FNV-1a, 64 bits, as hex: an entity tag of a document.
std::string entity_tag(std::string_view text);

}  // namespace skiff::apiserver
