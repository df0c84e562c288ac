// The URLs of the API's resources.
#pragma once

#include <skiff/client/client.h>

#include <string>
#include <string_view>

namespace skiff::client {

// "/apis/apps/v1/namespaces/default/deployments/web/status"; empty parts are left out.
std::string resource_path(Resource resource, std::string_view namespace_name, std::string_view name,
                          std::string_view subresource);
// Appends "?key=value" or "&key=value", escaped; nothing for an empty value.
void add_query(std::string& target, std::string_view key, std::string_view value);
// The selectors of a list or watch.
void add_selectors(std::string& target, const ListOptions& options);

}  // namespace skiff::client
