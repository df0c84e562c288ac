// Field numbers are those of gnostic's OpenAPIv2.proto.
#include <skiff/codec/protobuf.h>

#include <algorithm>

#include "api/openapi/model.h"

namespace skiff::api {

namespace {

using codec::Json;
using codec::write_protobuf_bytes;
using codec::write_protobuf_integer;

void add_text(std::uint32_t number, const Json& value, std::string& out) {
  if (value.is_string()) write_protobuf_bytes(number, value.as_string(), out);
}
void add_texts(std::uint32_t number, const Json& values, std::string& out) {
  for (const Json& value : values.items()) write_protobuf_bytes(number, value.as_string(), out);
}
void add_flag(std::uint32_t number, const Json& value, std::string& out) {
  if (value.as_bool()) write_protobuf_integer(number, 1, out);
}

std::string wrapped(std::uint32_t number, std::string_view message) {
  std::string out;
  write_protobuf_bytes(number, message, out);
  return out;
}

std::string named(std::string_view name, std::string_view message) {
  std::string out;
  write_protobuf_bytes(1, name, out);
  write_protobuf_bytes(2, message, out);
  return out;
}

// An Any holds YAML, and JSON is YAML.
std::string any(const Json& value) { return wrapped(2, codec::write_json(value) + "\n"); }

void add_extensions(std::uint32_t number, const Json& object, std::string& out) {
  for (const codec::JsonMember& member : object.members())
    if (member.key.compare(0, 2, "x-") == 0)
      write_protobuf_bytes(number, named(member.key, any(member.value)), out);
}

// The numbers that the two kinds of simple parameters differ in.
std::string simple_parameter(const Json& parameter) {
  const bool in_path = parameter["in"].as_string() == "path";
  std::string out;
  add_flag(1, parameter["required"], out);
  add_text(2, parameter["in"], out);
  add_text(4, parameter["name"], out);
  add_text(in_path ? 5 : 6, parameter["type"], out);
  add_flag(in_path ? 19 : 20, parameter["uniqueItems"], out);
  return wrapped(2, wrapped(in_path ? 4 : 3, out));
}

std::string body_parameter(const Json& parameter) {
  std::string out;
  add_text(2, parameter["name"], out);
  add_text(3, parameter["in"], out);
  add_flag(4, parameter["required"], out);
  write_protobuf_bytes(5, gnostic_schema(parameter["schema"]), out);
  return wrapped(1, out);
}

void add_parameters(std::uint32_t number, const Json& parameters, std::string& out) {
  for (const Json& parameter : parameters.items()) {
    const bool body = parameter["in"].as_string() == "body";
    const std::string message = body ? body_parameter(parameter) : simple_parameter(parameter);
    write_protobuf_bytes(number, wrapped(1, message), out);
  }
}

std::string responses(const Json& codes) {
  std::string out;
  for (const codec::JsonMember& code : codes.members()) {
    std::string response;
    add_text(1, code.value["description"], response);
    if (code.value.contains("schema"))
      write_protobuf_bytes(2, wrapped(1, gnostic_schema(code.value["schema"])), response);
    write_protobuf_bytes(1, named(code.key, wrapped(1, response)), out);
  }
  return out;
}

std::string operation(const Json& value) {
  std::string out;
  add_texts(1, value["tags"], out);
  add_text(5, value["operationId"], out);
  add_texts(6, value["produces"], out);
  add_texts(7, value["consumes"], out);
  add_parameters(8, value["parameters"], out);
  write_protobuf_bytes(9, responses(value["responses"]), out);
  add_extensions(13, value, out);
  return out;
}

}  // namespace

std::string gnostic_schema(const Json& schema) {
  std::string out;
  add_text(1, schema["$ref"], out);
  add_text(2, schema["format"], out);
  add_text(4, schema["description"], out);
  if (schema.contains("default")) write_protobuf_bytes(5, any(schema["default"]), out);
  add_texts(19, schema["required"], out);
  if (schema.contains("additionalProperties"))
    write_protobuf_bytes(21, wrapped(1, gnostic_schema(schema["additionalProperties"])), out);
  if (schema.contains("type"))
    write_protobuf_bytes(22, wrapped(1, schema["type"].as_string()), out);
  if (schema.contains("items"))
    write_protobuf_bytes(23, wrapped(1, gnostic_schema(schema["items"])), out);
  if (schema.contains("properties")) {
    std::string properties;
    for (const codec::JsonMember& property : schema["properties"].members())
      write_protobuf_bytes(1, named(property.key, gnostic_schema(property.value)), properties);
    write_protobuf_bytes(25, properties, out);
  }
  add_extensions(31, schema, out);
  return out;
}

std::string gnostic_path_item(const Json& item) {
  constexpr std::pair<std::string_view, std::uint32_t> kMethods[] = {
      {"get", 2}, {"put", 3}, {"post", 4}, {"delete", 5}, {"patch", 8}};
  std::string out;
  for (const auto& [method, number] : kMethods)
    if (item.contains(method)) write_protobuf_bytes(number, operation(item[method]), out);
  add_parameters(9, item["parameters"], out);
  return out;
}

}  // namespace skiff::api
