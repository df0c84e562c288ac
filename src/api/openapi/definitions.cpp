#include <skiff/base/strings.h>

#include <algorithm>
#include <set>

#include "api/openapi/model.h"

namespace skiff::api {

namespace {

using codec::Json;

// Types that are one value in JSON, with their schema.
struct Leaf {
  std::string_view name, v2, v3;
};
constexpr Leaf kLeaves[] = {
    {"io.k8s.apimachinery.pkg.api.resource.Quantity", R"({"type":"string"})",
     R"({"oneOf":[{"type":"string"},{"type":"number"}]})"},
    {"io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1", R"({"type":"object"})",
     R"({"type":"object"})"},
    {"io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", R"({"type":"string","format":"date-time"})",
     R"({"type":"string","format":"date-time"})"},
    {"io.k8s.apimachinery.pkg.apis.meta.v1.Patch", R"({"type":"object"})", R"({"type":"object"})"},
    {"io.k8s.apimachinery.pkg.apis.meta.v1.Time", R"({"type":"string","format":"date-time"})",
     R"({"type":"string","format":"date-time"})"},
    {"io.k8s.apimachinery.pkg.runtime.RawExtension", R"({"type":"object"})",
     R"({"type":"object"})"},
    {"io.k8s.apimachinery.pkg.util.intstr.IntOrString",
     R"({"type":"string","format":"int-or-string"})",
     R"({"format":"int-or-string","oneOf":[{"type":"integer"},{"type":"string"}]})"},
};

// The name of the leaf that a field holds; empty for scalars and objects.
std::string_view leaf_of(const FieldInfo& field) {
  switch (field.type) {
    case JsonType::quantity: return kLeaves[0].name;
    case JsonType::micro_time: return kLeaves[2].name;
    case JsonType::time: return kLeaves[4].name;
    case JsonType::raw: return field.name == "fieldsV1" ? kLeaves[1].name : kLeaves[5].name;
    case JsonType::int_or_string: return kLeaves[6].name;
    default: return {};
  }
}

Json value_schema(OpenApi version, const FieldInfo& field) {
  if (field.type == JsonType::object) return schema_reference(version, field.object->name);
  if (const std::string_view leaf = leaf_of(field); !leaf.empty())
    return schema_reference(version, leaf);
  switch (field.type) {
    case JsonType::boolean: return Json::object({{"type", "boolean"}});
    case JsonType::integer:
      return Json::object(
          {{"type", "integer"}, {"format", field.integer_bits == 32 ? "int32" : "int64"}});
    case JsonType::number: return Json::object({{"type", "number"}, {"format", "double"}});
    case JsonType::bytes: return Json::object({{"type", "string"}, {"format", "byte"}});
    case JsonType::string: return Json::object({{"type", "string"}});
    default: return Json::object();
  }
}

Json strings(std::span<const std::string_view> items) {
  Json out = Json::array();
  for (std::string_view item : items) out.push_back(item);
  return out;
}

Json field_schema(OpenApi version, const FieldInfo& field) {
  Json schema = value_schema(version, field);
  if (field.is_list) schema = Json::object({{"type", "array"}, {"items", std::move(schema)}});
  if (field.is_map)
    schema = Json::object({{"type", "object"}, {"additionalProperties", std::move(schema)}});
  if (!field.default_json.empty()) {
    auto value = codec::parse_json(field.default_json);
    if (value) schema.set("default", std::move(value).value());
  }
  if (field.is_list && !field.is_map) {
    constexpr std::string_view kNames[] = {"atomic", "set", "map"};
    schema.set("x-kubernetes-list-type", kNames[static_cast<int>(field.list_type)]);
    if (!field.list_map_keys.empty())
      schema.set("x-kubernetes-list-map-keys", strings(field.list_map_keys));
  }
  if (!field.patch_merge_key.empty())
    schema.set("x-kubernetes-patch-merge-key", field.patch_merge_key);
  if (field.patch_merge || field.patch_retain_keys) {
    const bool both = field.patch_merge && field.patch_retain_keys;
    schema.set("x-kubernetes-patch-strategy", both                ? "merge,retainKeys"
                                              : field.patch_merge ? "merge"
                                                                  : "retainKeys");
  }
  if (field.is_map && field.map_is_atomic) schema.set("x-kubernetes-map-type", "atomic");
  return schema;
}

void add_reachable(const TypeInfo& type, std::set<std::string_view>& leaves,
                   std::set<const TypeInfo*>& types) {
  if (!types.insert(&type).second) return;
  for (const FieldInfo& field : type.fields) {
    if (field.object != nullptr) add_reachable(*field.object, leaves, types);
    if (const std::string_view leaf = leaf_of(field); !leaf.empty()) leaves.insert(leaf);
  }
}

// Bodies that belong to every group version name all of them.
Json kinds_of(const TypeInfo& type) {
  Json out = Json::array();
  if (type.kind != "DeleteOptions" && type.kind != "WatchEvent") {
    out.push_back(group_version_kind(type.group, type.version, type.kind));
    return out;
  }
  std::string_view group = "-", version;
  for (const ResourceInfo& resource : all_resources()) {
    if (resource.group == group && resource.version == version) continue;
    group = resource.group;
    version = resource.version;
    out.push_back(group_version_kind(group, version, type.kind));
  }
  return out;
}

}  // namespace

Json schema_reference(OpenApi version, std::string_view name) {
  const std::string_view place =
      version == OpenApi::v2 ? "#/definitions/" : "#/components/schemas/";
  return Json::object({{"$ref", base::concat(place, name)}});
}

Json group_version_kind(std::string_view group, std::string_view version, std::string_view kind) {
  return Json::object({{"group", group}, {"kind", kind}, {"version", version}});
}

std::vector<Definition> reachable_definitions(std::span<const ResourceInfo> resources) {
  std::set<std::string_view> leaves{kLeaves[3].name};
  std::set<const TypeInfo*> types;
  for (std::string_view kind : {"DeleteOptions", "Status", "WatchEvent"})
    add_reachable(*find_type("", "v1", kind), leaves, types);
  for (const ResourceInfo& resource : resources) {
    add_reachable(*resource.type, leaves, types);
    if (const TypeInfo* list = find_type(resource.group, resource.version, resource.list_kind))
      add_reachable(*list, leaves, types);
    for (const SubresourceInfo& sub : resource.subresources)
      if (const TypeInfo* body = find_type(sub.group, sub.version, sub.kind))
        add_reachable(*body, leaves, types);
  }
  std::vector<Definition> out;
  for (std::string_view leaf : leaves) out.push_back({leaf, nullptr});
  for (const TypeInfo* type : types) out.push_back({type->name, type});
  std::sort(out.begin(), out.end(),
            [](const Definition& a, const Definition& b) { return a.name < b.name; });
  return out;
}

Json definition_schema(OpenApi version, const Definition& definition) {
  if (definition.type == nullptr) {
    for (const Leaf& leaf : kLeaves) {
      if (leaf.name != definition.name) continue;
      auto schema = codec::parse_json(version == OpenApi::v2 ? leaf.v2 : leaf.v3);
      if (schema) return std::move(schema).value();
    }
    return Json::object();
  }
  const TypeInfo& type = *definition.type;
  Json schema = Json::object({{"type", "object"}});
  if (!type.description.empty()) schema.set("description", type.description);
  if (!type.required.empty()) schema.set("required", strings(type.required));
  if (!type.fields.empty()) {
    Json properties = Json::object();
    for (const FieldInfo& field : type.fields)
      properties.mutable_members().push_back(
          {std::string(field.name), field_schema(version, field)});
    schema.set("properties", std::move(properties));
  }
  if (!type.kind.empty()) schema.set("x-kubernetes-group-version-kind", kinds_of(type));
  if (type.is_atomic) schema.set("x-kubernetes-map-type", "atomic");
  return schema;
}

}  // namespace skiff::api
