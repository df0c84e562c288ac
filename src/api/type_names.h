// Names of types as upstream's messages have them.
#pragma once

#include <skiff/api/schema.h>

#include <string>
#include <string_view>

namespace skiff::api {

// "DeploymentSpec".
std::string_view short_name(const TypeInfo& type);
// "v1.DeploymentSpec".
std::string go_name(const TypeInfo& type);
// Of a value or an element of the field: "int32", "v1.PullPolicy", "v1.Container".
std::string go_element_name(const FieldInfo& field);
// "[]v1.Container".
std::string go_list_name(const FieldInfo& field);
// "map[string]string", "v1.ResourceList".
std::string go_map_name(const FieldInfo& field);

}  // namespace skiff::api
