#include <skiff/api/defaults.h>
#include <skiff/base/clock.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/codec/protobuf.h>

#include <algorithm>

#include "api/protobuf_format.h"

namespace skiff::api {

namespace {

using codec::Json;

// Written even when absent: upstream's field is a plain value.
bool is_always_written(const FieldInfo& field) {
  if (field.is_optional || field.is_list || field.is_map) return false;
  return field.type != JsonType::bytes && field.type < JsonType::schema_or_array;
}

// One message around fields that JSON has in its parent, as deep as `depth` numbers of `outer`.
struct Scope {
  std::span<const FieldInfo* const> fields;  // sorted by their numbers
  std::size_t depth;
};

std::uint32_t number_at(const FieldInfo& field, std::size_t depth) {
  const std::uint32_t outer = depth < 2 ? field.protobuf_outer[depth] : 0;
  return outer != 0 ? outer : field.protobuf_number;
}

class MessageWriter {
 public:
  base::Status write_object(const TypeInfo& type, const Json& object, std::string& out) {
    std::vector<const FieldInfo*> fields;
    for (const FieldInfo& field : type.fields)
      if (field.protobuf_number != 0) fields.push_back(&field);
    std::sort(fields.begin(), fields.end(), [](const FieldInfo* a, const FieldInfo* b) {
      for (std::size_t depth = 0; depth < 3; ++depth)
        if (number_at(*a, depth) != number_at(*b, depth))
          return number_at(*a, depth) < number_at(*b, depth);
      return false;
    });
    return write_scope({fields, 0}, object, out);
  }

 private:
  base::Status write_scope(Scope scope, const Json& object, std::string& out) {
    for (std::size_t i = 0; i < scope.fields.size();) {
      const FieldInfo& field = *scope.fields[i];
      const std::uint32_t outer = scope.depth < 2 ? field.protobuf_outer[scope.depth] : 0;
      if (outer == 0) {
        base::Status status = write_field(field, object[field.name], out);
        if (!status) return status.with_context(field.name);
        ++i;
        continue;
      }
      std::size_t end = i;
      while (end < scope.fields.size() && scope.fields[end]->protobuf_outer[scope.depth] == outer)
        ++end;
      std::string message;
      SKIFF_RETURN_IF_ERROR(
          write_scope({scope.fields.subspan(i, end - i), scope.depth + 1}, object, message));
      codec::write_protobuf_bytes(outer, message, out);
      i = end;
    }
    return base::Status::ok();
  }

  base::Status write_field(const FieldInfo& field, const Json& value, std::string& out) {
    if (value.is_null() && !is_always_written(field)) return base::Status::ok();
    if (field.is_map) return write_map(field, value, out);
    if (!field.is_list) return write_value(field, field.protobuf_number, value, out);
    for (const Json& item : value.items())
      SKIFF_RETURN_IF_ERROR(write_value(field, field.protobuf_number, item, out));
    return base::Status::ok();
  }

  base::Status write_map(const FieldInfo& field, const Json& value, std::string& out) {
    std::vector<const codec::JsonMember*> members;
    for (const codec::JsonMember& member : value.members()) members.push_back(&member);
    std::sort(members.begin(), members.end(),
              [](const auto* a, const auto* b) { return a->key < b->key; });
    for (const codec::JsonMember* member : members) {
      std::string entry;
      codec::write_protobuf_bytes(1, member->key, entry);
      if (field.is_list) {
        std::string list;
        for (const Json& item : member->value.items())
          SKIFF_RETURN_IF_ERROR(write_value(field, 1, item, list));
        codec::write_protobuf_bytes(2, list, entry);
      } else {
        SKIFF_RETURN_IF_ERROR(write_value(field, 2, member->value, entry));
      }
      codec::write_protobuf_bytes(field.protobuf_number, entry, out);
    }
    return base::Status::ok();
  }

  base::Status write_value(const FieldInfo& field, std::uint32_t number, const Json& value,
                           std::string& out) {
    std::string message;
    switch (field.type) {
      case JsonType::boolean:
        codec::write_protobuf_integer(number, value.as_bool() ? 1 : 0, out);
        return base::Status::ok();
      case JsonType::integer:
        codec::write_protobuf_integer(number, value.as_int(), out);
        return base::Status::ok();
      case JsonType::number:
        codec::write_protobuf_double(number, value.as_double(), out);
        return base::Status::ok();
      case JsonType::string:
        codec::write_protobuf_bytes(number, value.as_string(), out);
        return base::Status::ok();
      case JsonType::bytes: {
        SKIFF_ASSIGN_OR_RETURN(message, codec::base64_decode(value.as_string()));
        break;
      }
      case JsonType::object:
        SKIFF_RETURN_IF_ERROR(write_object(*field.object, value, message));
        break;
      case JsonType::quantity: codec::write_protobuf_bytes(1, value.as_string("0"), message); break;
      case JsonType::time:
      case JsonType::micro_time:
        SKIFF_RETURN_IF_ERROR(write_time(value, field.type == JsonType::micro_time, message));
        break;
      case JsonType::int_or_string:
        codec::write_protobuf_integer(1, value.is_string() ? 1 : 0, message);
        codec::write_protobuf_integer(2, value.as_int(), message);
        codec::write_protobuf_bytes(3, value.as_string(), message);
        break;
      case JsonType::raw:
        if (!value.is_null()) codec::write_protobuf_bytes(1, codec::write_json(value), message);
        break;
      case JsonType::schema_or_array:
      case JsonType::schema_or_bool:
      case JsonType::schema_or_strings:
        SKIFF_RETURN_IF_ERROR(write_schema_or(field.type, value, message));
        break;
      default: return base::internal_error("a field type that protobuf does not have");
    }
    codec::write_protobuf_bytes(number, message, out);
    return base::Status::ok();
  }

  // The zero time is an empty message.
  static base::Status write_time(const Json& value, bool micro, std::string& out) {
    if (!value.is_string()) return base::Status::ok();
    SKIFF_ASSIGN_OR_RETURN(const base::WallTime time, base::parse_rfc3339(value.as_string()));
    std::int64_t seconds = time.unix_ns / 1'000'000'000, rest = time.unix_ns % 1'000'000'000;
    if (rest < 0) --seconds, rest += 1'000'000'000;
    codec::write_protobuf_integer(1, seconds, out);
    codec::write_protobuf_integer(2, micro ? rest : 0, out);
    return base::Status::ok();
  }

  base::Status write_schema_or(JsonType type, const Json& value, std::string& out) {
    if (type == JsonType::schema_or_bool)
      codec::write_protobuf_integer(1, value.is_object() || value.as_bool() ? 1 : 0, out);
    if (value.is_object()) {
      std::string schema;
      SKIFF_RETURN_IF_ERROR(write_object(*find_schema_type(), value, schema));
      codec::write_protobuf_bytes(type == JsonType::schema_or_bool ? 2 : 1, schema, out);
    }
    for (const Json& item : value.items()) {
      std::string part(item.as_string());
      if (item.is_object()) SKIFF_RETURN_IF_ERROR(write_object(*find_schema_type(), item, part));
      codec::write_protobuf_bytes(2, part, out);
    }
    return base::Status::ok();
  }
};

}  // namespace

const TypeInfo* find_schema_type() {
  constexpr std::string_view kName =
      "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
  const auto types = all_types();
  auto found = std::lower_bound(
      types.begin(), types.end(), kName,
      [](const TypeInfo& type, std::string_view wanted) { return type.name < wanted; });
  SKIFF_ASSERT(found != types.end() && found->name == kName);
  return &*found;
}

base::Result<std::string> encode_protobuf(const TypeInfo& type, const Json& object) {
  std::string meta, raw;
  SKIFF_RETURN_IF_ERROR(MessageWriter().write_object(type, object, raw));
  codec::write_protobuf_bytes(1, object["apiVersion"].as_string(), meta);
  codec::write_protobuf_bytes(2, object["kind"].as_string(), meta);
  std::string out(kProtobufMagic);
  codec::write_protobuf_bytes(1, meta, out);
  codec::write_protobuf_bytes(2, raw, out);
  codec::write_protobuf_bytes(3, {}, out);
  codec::write_protobuf_bytes(4, {}, out);
  return out;
}

}  // namespace skiff::api
