// Defaults that need more than the value of one field. Pure.
#pragma once

#include <skiff/codec/json.h>

#include <span>
#include <string_view>

namespace skiff::api {

// Runs on an object of the type after the schema's defaults of its own fields, before its parts.
struct DefaultRule {
  std::string_view type;  // TypeInfo::name
  void (*apply)(codec::Json& object);
};

std::span<const DefaultRule> core_default_rules();     // sorted by type
std::span<const DefaultRule> service_default_rules();  // sorted by type
std::span<const DefaultRule> apps_default_rules();     // sorted by type
std::span<const DefaultRule> rbac_default_rules();     // sorted by type

}  // namespace skiff::api
