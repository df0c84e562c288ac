#include <skiff/client/resource_path.h>

#include <skiff/base/strings.h>
#include <skiff/http/message.h>

namespace skiff::client {

std::string resource_path(Resource resource, std::string_view namespace_name, std::string_view name,
                          std::string_view subresource) {
  std::string path = resource.group.empty()
                         ? base::concat("/api/", resource.version)
                         : base::concat("/apis/", resource.group, "/", resource.version);
  if (!namespace_name.empty())
    path += base::concat("/namespaces/", http::percent_encode(namespace_name));
  path += base::concat("/", resource.resource);
  if (!name.empty()) path += base::concat("/", http::percent_encode(name));
  if (!subresource.empty()) path += base::concat("/", subresource);
  return path;
}

void add_query(std::string& target, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  target += target.find('?') == std::string::npos ? '?' : '&';
  target += base::concat(key, "=", http::percent_encode(value));
}

void add_selectors(std::string& target, const ListOptions& options) {
  add_query(target, "labelSelector", options.label_selector);
  add_query(target, "fieldSelector", options.field_selector);
}

}  // namespace skiff::client
