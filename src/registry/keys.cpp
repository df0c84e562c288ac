#include <skiff/base/strings.h>
#include <skiff/registry/registry.h>

namespace skiff::registry {

std::string storage_prefix(std::string_view group, std::string_view resource,
                           std::string_view namespace_name) {
  std::string prefix = base::concat("/", group.empty() ? "core" : group, "/", resource, "/");
  if (!namespace_name.empty()) {
    prefix += namespace_name;
    prefix += '/';
  }
  return prefix;
}

std::string storage_key(std::string_view group, std::string_view resource,
                        std::string_view namespace_name, std::string_view name) {
  std::string key = storage_prefix(group, resource, namespace_name);
  key += name;
  return key;
}

std::string key_of(const Scope& scope) {
  const auto& r = *scope.resource;
  return storage_key(r.storage_group, r.storage_resource,
                     r.namespaced ? std::string_view(scope.namespace_name) : std::string_view(),
                     scope.name);
}

std::string prefix_of(const Scope& scope) {
  const auto& r = *scope.resource;
  return storage_prefix(r.storage_group, r.storage_resource,
                        r.namespaced ? std::string_view(scope.namespace_name) : std::string_view());
}

}  // namespace skiff::registry
