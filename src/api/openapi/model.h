// The parts of OpenAPI documents as small JSON trees. Pure.
#pragma once

#include <skiff/api/kind.h>
#include <skiff/api/schema.h>
#include <skiff/base/function.h>
#include <skiff/codec/json.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::api {

enum class OpenApi : unsigned char { v2, v3 };

// "#/definitions/" or "#/components/schemas/" and the name.
codec::Json schema_reference(OpenApi version, std::string_view name);
// {group, kind, version}, as x-kubernetes-group-version-kind has it.
codec::Json group_version_kind(std::string_view group, std::string_view version,
                               std::string_view kind);

struct Definition {
  std::string_view name;
  const TypeInfo* type = nullptr;  // null for what is one value in JSON (Time, Quantity, …)
};
// All that the resources and their bodies reach, sorted by name.
std::vector<Definition> reachable_definitions(std::span<const ResourceInfo> resources);
codec::Json definition_schema(OpenApi version, const Definition& definition);

// The path items of one resource, in the order of a document.
void for_each_path(OpenApi version, const ResourceInfo& resource,
                   base::UniqueFunction<void(const std::string& path, codec::Json item)>& visit);

// The same in the protobuf form of gnostic, for documents of version 2.
std::string gnostic_schema(const codec::Json& schema);
std::string gnostic_path_item(const codec::Json& item);

}  // namespace skiff::api
