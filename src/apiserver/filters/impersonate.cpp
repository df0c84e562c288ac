#include <skiff/base/strings.h>

#include <algorithm>

#include "apiserver/filters/filters.h"

namespace skiff::apiserver {

namespace {

constexpr std::string_view kUser = "Impersonate-User";
constexpr std::string_view kUid = "Impersonate-Uid";
constexpr std::string_view kGroup = "Impersonate-Group";
constexpr std::string_view kExtraPrefix = "impersonate-extra-";
constexpr std::string_view kAccountPrefix = "system:serviceaccount:";
constexpr std::string_view kAuthenticationGroup = "authentication.k8s.io";

// What has to be allowed, one for each thing that the caller wants to be.
struct Part {
  std::string_view group, resource, subresource, namespace_name, name;
};

api::Outcome<> check_part(const RequestContext& context, const Part& part) {
  auth::Attributes a;
  a.user = &context.user;
  a.verb = "impersonate";
  a.is_resource = true;
  a.group = part.group;
  a.version = "v1";
  a.resource = part.resource;
  a.subresource = part.subresource;
  a.namespace_name = part.namespace_name;
  a.name = part.name;
  auto decision = context.services.authorizer->authorize(a);
  if (decision.verdict == auth::Decision::Verdict::allow) return api::Done{};
  return api::forbidden_error(part.group, part.resource, part.name,
                              auth::forbidden_detail(a, decision.reason));
}

// Namespace and name of "system:serviceaccount:<namespace>:<name>"; both empty for other users.
std::pair<std::string_view, std::string_view> account_of(std::string_view user) {
  if (!user.starts_with(kAccountPrefix)) return {};
  auto rest = user.substr(kAccountPrefix.size());
  auto colon = rest.find(':');
  if (colon == rest.npos || rest.find(':', colon + 1) != rest.npos) return {};
  auto where = rest.substr(0, colon);
  auto name = rest.substr(colon + 1);
  if (where.empty() || name.empty()) return {};
  return {where, name};
}

// The user that the headers ask for, with what they name and nothing implied.
api::Outcome<auth::User> asked_user(const http::Headers& headers) {
  auth::User user;
  user.name = headers.get(kUser);
  user.uid = headers.get(kUid);
  for (auto group : headers.get_all(kGroup)) user.groups.emplace_back(group);
  for (const auto& [name, value] : headers.fields()) {
    auto lower = base::to_lower(name);
    if (!lower.starts_with(kExtraPrefix)) continue;
    // A key that is no escaped text stays as it is.
    const std::string raw = lower.substr(kExtraPrefix.size());
    auto decoded = http::percent_decode(raw);
    const std::string key = decoded.is_ok() ? *decoded : raw;
    auto same = std::find_if(user.extra.begin(), user.extra.end(),
                             [&](const auto& extra) { return extra.first == key; });
    if (same == user.extra.end()) same = user.extra.insert(same, {key, {}});
    same->second.push_back(value);
  }
  if (user.name.empty() && !(user.uid.empty() && user.groups.empty() && user.extra.empty())) {
    return api::bad_request_error("requested impersonation without impersonating a user");
  }
  return user;
}

api::Outcome<> check_parts(const RequestContext& context, const auth::User& user) {
  const auto [where, account] = account_of(user.name);
  SKIFF_CHECK(check_part(context, account.empty()
                                      ? Part{"", "users", "", "", user.name}
                                      : Part{"", "serviceaccounts", "", where, account}));
  for (const auto& group : user.groups) {
    SKIFF_CHECK(check_part(context, {"", "groups", "", "", group}));
  }
  for (const auto& [key, values] : user.extra) {
    for (const auto& value : values) {
      SKIFF_CHECK(check_part(context, {kAuthenticationGroup, "userextras", key, "", value}));
    }
  }
  if (user.uid.empty()) return api::Done{};
  return check_part(context, {kAuthenticationGroup, "uids", "", "", user.uid});
}

void add_implied_groups(auth::User& user) {
  const auto [where, account] = account_of(user.name);
  if (!account.empty() && user.groups.empty()) {
    user.groups = {"system:serviceaccounts", base::concat("system:serviceaccounts:", where)};
  }
  if (user.in_group(auth::kAuthenticatedGroup) || user.in_group(auth::kUnauthenticatedGroup)) {
    return;
  }
  const bool anonymous = user.name == auth::kAnonymousUser;
  user.groups.emplace_back(anonymous ? auth::kUnauthenticatedGroup : auth::kAuthenticatedGroup);
}

}  // namespace

api::Outcome<> filter_impersonate(RequestContext& context) {
  SKIFF_TRY(auto user, asked_user(context.request.headers));
  if (user.name.empty()) return api::Done{};
  SKIFF_CHECK(check_parts(context, user));
  add_implied_groups(user);
  context.user = std::move(user);
  return api::Done{};
}

}  // namespace skiff::apiserver
