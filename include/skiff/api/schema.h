// The schema of every type: one table that drives decoding, pruning, defaulting, validation,
// patches, apply, protobuf and OpenAPI. Generated at build time from src/api/schema/.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace skiff::api {

enum class JsonType : unsigned char {
  any,
  boolean,
  integer,
  number,
  string,
  object /* a TypeInfo */,
  map,
  list,
  int_or_string,
  quantity,
  time,
  micro_time,
  duration,
  bytes /* base64 text */,
  raw /* any JSON: RawExtension, FieldsV1 */,
  // A JSONSchemaProps object, or an array of them, a boolean, an array of strings.
  schema_or_array,
  schema_or_bool,
  schema_or_strings,
};
enum class ListType : unsigned char { atomic, set, map };

struct FieldInfo;

struct TypeInfo {
  std::string_view name;                  // "io.k8s.api.core.v1.Pod"
  std::string_view group, version, kind;  // empty for parts of kinds
  std::span<const FieldInfo> fields;      // sorted by name
  std::span<const std::string_view> required;
  std::string_view description;  // one sentence; empty for most
  bool is_atomic = false;        // apply treats a value of it as one leaf
};

struct FieldInfo {
  std::string_view name;
  // Of the value; of the elements when `is_list` or `is_map`. Both set: a map of lists.
  JsonType type = JsonType::any;
  bool is_list = false;
  bool is_map = false;            // string keys
  std::uint8_t integer_bits = 0;  // 32 or 64 for integer
  ListType list_type = ListType::atomic;
  bool patch_merge = false;  // patch strategy contains "merge"
  bool patch_retain_keys = false;
  bool required = false;
  std::string_view patch_merge_key;
  std::span<const std::string_view> list_map_keys;
  std::uint32_t protobuf_number = 0;  // 0 = not in protobuf (apiVersion, kind)
  std::string_view default_json;      // a JSON text, empty without
  const TypeInfo* object = nullptr;   // of object values or elements
  bool map_is_atomic = false;         // of the map, or of the object's type
  bool is_optional = false;           // a pointer upstream: its zero value differs from absent
  bool is_kept = false;               // upstream writes it even when it has its zero value
  // Numbers of the messages that protobuf puts around it and JSON does not; 0 = none.
  std::uint8_t protobuf_outer[2] = {0, 0};
  std::uint16_t go_type = 0;  // see go_type_name
};

std::span<const TypeInfo> all_types();  // sorted by name
// Upstream's name of a named scalar or map ("v1.PullPolicy"); empty for plain types.
std::string_view go_type_name(const FieldInfo& field);
const FieldInfo* find_field(const TypeInfo& type, std::string_view name);

}  // namespace skiff::api
