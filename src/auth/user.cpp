#include <skiff/auth/auth.h>
#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::auth {

bool User::in_group(std::string_view group) const {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

User admin_user() {
  return {
      "kubernetes-admin", {}, {std::string(kMastersGroup), std::string(kAuthenticatedGroup)}, {}};
}

User control_user(std::string_view name) {
  return {
      std::string(name), {}, {std::string(kMastersGroup), std::string(kAuthenticatedGroup)}, {}};
}

User node_user(std::string_view node_name) {
  return {base::concat(api::kNodeUserPrefix, node_name),
          {},
          {std::string(kNodesGroup), std::string(kAuthenticatedGroup)},
          {}};
}

bool is_node(const User& user) {
  return base::starts_with(user.name, api::kNodeUserPrefix) && user.in_group(kNodesGroup);
}

std::string_view node_name_of(const User& user) {
  if (!is_node(user)) return {};
  return std::string_view(user.name).substr(api::kNodeUserPrefix.size());
}

}  // namespace skiff::auth
