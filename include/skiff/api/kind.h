// The kinds that this server knows, as data. Immutable, static storage.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace skiff::api {

struct GroupVersionKind {
  std::string_view group, version, kind;
};

struct SubresourceInfo {
  std::string_view name;                    // "status", "scale", "log", …
  std::string_view group, version, kind;    // of its body: Scale, TokenRequest, Pod, …
  std::span<const std::string_view> verbs;  // as discovery shows them
};

struct TypeInfo;  // schema.h

// One resource in one group version.
struct ResourceInfo {
  std::string_view group, version;
  std::string_view resource;  // plural
  std::string_view singular;
  std::string_view kind;
  std::string_view list_kind;
  bool namespaced = false;
  std::span<const std::string_view> verbs;  // sorted, as discovery shows them
  std::span<const std::string_view> short_names;
  std::span<const std::string_view> categories;
  std::span<const SubresourceInfo> subresources;
  // events.k8s.io/v1 events and v1 events share one store: the storage group and resource.
  std::string_view storage_group, storage_resource;
  const TypeInfo* type = nullptr;
};

// Every served resource, grouped by group version in discovery's order.
std::span<const ResourceInfo> all_resources();
const ResourceInfo* find_resource(std::string_view group, std::string_view version,
                                  std::string_view resource);
const ResourceInfo* find_kind(std::string_view group, std::string_view version,
                              std::string_view kind);
const SubresourceInfo* find_subresource(const ResourceInfo& resource, std::string_view name);
// Types that are bodies but no resources: DeleteOptions, TokenRequest, Scale, Eviction, Binding, …
const TypeInfo* find_type(std::string_view group, std::string_view version, std::string_view kind);

// "v1" or "apps/v1".
struct ApiVersion {
  std::string_view group, version;
};
ApiVersion split_api_version(std::string_view api_version);

}  // namespace skiff::api
