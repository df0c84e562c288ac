#include <skiff/auth/auth.h>
#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::auth {

namespace {
constexpr std::string_view kNodePrefix = "system:node:";
}

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
  return {base::concat(kNodePrefix, node_name),
          {},
          {std::string(kNodesGroup), std::string(kAuthenticatedGroup)},
          {}};
}

std::string_view node_name_of(const User& user) {
  std::string_view name = user.name;
  if (!base::starts_with(name, kNodePrefix) || !user.in_group(kNodesGroup)) return {};
  return name.substr(kNodePrefix.size());
}

}  // namespace skiff::auth
