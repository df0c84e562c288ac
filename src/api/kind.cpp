#include <skiff/api/schema.h>

#include <skiff/api/kind.h>

#include <algorithm>

namespace skiff::api {

namespace {

// Bodies that every group version takes, as upstream registers them in each.
bool is_common_kind(std::string_view kind) {
  return kind == "DeleteOptions" || kind == "WatchEvent" || kind == "Status";
}

}  // namespace

const ResourceInfo* find_resource(std::string_view group, std::string_view version,
                                  std::string_view resource) {
  for (const ResourceInfo& info : all_resources())
    if (info.resource == resource && info.group == group && info.version == version) return &info;
  return nullptr;
}

const ResourceInfo* find_kind(std::string_view group, std::string_view version,
                              std::string_view kind) {
  for (const ResourceInfo& info : all_resources())
    if (info.kind == kind && info.group == group && info.version == version) return &info;
  return nullptr;
}

const SubresourceInfo* find_subresource(const ResourceInfo& resource, std::string_view name) {
  for (const SubresourceInfo& info : resource.subresources)
    if (info.name == name) return &info;
  return nullptr;
}

const TypeInfo* find_type(std::string_view group, std::string_view version, std::string_view kind) {
  if (kind.empty()) return nullptr;
  const bool common = is_common_kind(kind);
  for (const TypeInfo& type : all_types()) {
    if (type.kind != kind) continue;
    if (common || (type.group == group && type.version == version)) return &type;
  }
  return nullptr;
}

const FieldInfo* find_field(const TypeInfo& type, std::string_view name) {
  auto found = std::lower_bound(
      type.fields.begin(), type.fields.end(), name,
      [](const FieldInfo& field, std::string_view wanted) { return field.name < wanted; });
  return found != type.fields.end() && found->name == name ? &*found : nullptr;
}

ApiVersion split_api_version(std::string_view api_version) {
  const std::size_t slash = api_version.find('/');
  if (slash == std::string_view::npos) return {"", api_version};
  return {api_version.substr(0, slash), api_version.substr(slash + 1)};
}

}  // namespace skiff::api
