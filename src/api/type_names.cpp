#include "api/type_names.h"

#include <skiff/base/strings.h>

namespace skiff::api {

std::string_view short_name(const TypeInfo& type) {
  return type.name.substr(type.name.rfind('.') + 1);
}

std::string go_name(const TypeInfo& type) {
  const std::size_t name_dot = type.name.rfind('.');
  const std::size_t version_dot = type.name.rfind('.', name_dot - 1);
  return std::string(type.name.substr(version_dot + 1));
}

std::string go_element_name(const FieldInfo& field) {
  if (field.type != JsonType::quantity && field.go_type != 0)
    return std::string(go_type_name(field));
  switch (field.type) {
    case JsonType::boolean: return "bool";
    case JsonType::integer: return field.integer_bits == 32 ? "int32" : "int64";
    case JsonType::number: return "float64";
    case JsonType::string: return "string";
    case JsonType::bytes: return "[]uint8";
    case JsonType::object: return go_name(*field.object);
    case JsonType::int_or_string: return "intstr.IntOrString";
    case JsonType::quantity: return "resource.Quantity";
    case JsonType::time: return "v1.Time";
    case JsonType::micro_time: return "v1.MicroTime";
    case JsonType::duration: return "v1.Duration";
    default: return "runtime.RawExtension";
  }
}

std::string go_list_name(const FieldInfo& field) {
  if (field.is_map) return go_element_name(field);
  return base::concat("[]", go_element_name(field));
}

std::string go_map_name(const FieldInfo& field) {
  if (field.type == JsonType::quantity && field.go_type != 0)
    return std::string(go_type_name(field));
  return base::concat("map[string]", go_element_name(field));
}

}  // namespace skiff::api
