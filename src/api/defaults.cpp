#include <skiff/api/defaults.h>

#include <algorithm>

#include "api/rules/defaults_rules.h"

namespace skiff::api {

namespace {

const DefaultRule* find_rule(std::string_view type) {
  for (auto rules : {core_default_rules(), service_default_rules(), apps_default_rules(),
                     rbac_default_rules()}) {
    auto found = std::lower_bound(
        rules.begin(), rules.end(), type,
        [](const DefaultRule& rule, std::string_view wanted) { return rule.type < wanted; });
    if (found != rules.end() && found->type == type) return &*found;
  }
  return nullptr;
}

// A field that upstream always writes, when nobody gave it: an empty object or the zero value.
codec::Json kept_value(const FieldInfo& field) {
  if (field.is_list || field.is_map) return nullptr;
  switch (field.type) {
    case JsonType::object: return codec::Json::object();
    case JsonType::string: return "";
    case JsonType::boolean: return false;
    case JsonType::integer: return 0;
    default: return nullptr;
  }
}

void apply_own_defaults(const TypeInfo& type, codec::Json& object) {
  for (const FieldInfo& field : type.fields) {
    if (field.default_json.empty() && !field.is_kept) continue;
    const codec::Json* present = object.find(field.name);
    const bool empty_string = present != nullptr && present->is_string() && present->empty();
    const bool zero = present != nullptr && present->is_int() && present->as_int() == 0;
    if (!field.default_json.empty()) {
      // Zero means absent where upstream's field is no pointer.
      if (present != nullptr && (field.is_optional || !(empty_string || zero))) continue;
      auto value = codec::parse_json(field.default_json);
      if (value) object.set(field.name, std::move(value).value());
      continue;
    }
    if (present != nullptr || field.is_optional) continue;
    codec::Json value = kept_value(field);
    if (!value.is_null()) object.set(field.name, std::move(value));
  }
}

void default_part(const FieldInfo& field, codec::Json& value) {
  if (field.is_map && value.is_object()) {
    for (codec::JsonMember& member : value.mutable_members())
      if (member.value.is_object()) apply_defaults(*field.object, member.value);
  } else if (field.is_list && value.is_array()) {
    for (codec::Json& item : value.mutable_items())
      if (item.is_object()) apply_defaults(*field.object, item);
  } else if (value.is_object()) {
    apply_defaults(*field.object, value);
  }
}

}  // namespace

void apply_defaults(const TypeInfo& type, codec::Json& object) {
  if (!object.is_object()) return;
  apply_own_defaults(type, object);
  if (const DefaultRule* rule = find_rule(type.name)) rule->apply(object);
  for (codec::JsonMember& member : object.mutable_members()) {
    const FieldInfo* field = find_field(type, member.key);
    if (field != nullptr && field->object != nullptr) default_part(*field, member.value);
  }
}

}  // namespace skiff::api
