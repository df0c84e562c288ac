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
};
enum class ListType : unsigned char { atomic, set, map };

struct FieldInfo;

struct TypeInfo {
  std::string_view name;                  // "io.k8s.api.core.v1.Pod"
  std::string_view group, version, kind;  // empty for parts of kinds
  std::span<const FieldInfo> fields;      // sorted by name
  std::span<const std::string_view> required;
};

struct FieldInfo {
  std::string_view name;
  JsonType type = JsonType::any;  // of the value; of the elements when `is_list` or `is_map`
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
  bool map_is_atomic = false;
};

const FieldInfo* find_field(const TypeInfo& type, std::string_view name);

}  // namespace skiff::api
