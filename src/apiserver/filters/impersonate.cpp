#include <skiff/base/strings.h>

#include "apiserver/filters/filters.h"

namespace skiff::apiserver {

namespace {

constexpr std::string_view kUser = "Impersonate-User";
constexpr std::string_view kUid = "Impersonate-Uid";
constexpr std::string_view kGroup = "Impersonate-Group";
constexpr std::string_view kExtraPrefix = "impersonate-extra-";

// Whether the caller may act as the named user or group.
api::Outcome<> check_one(const RequestContext& context, std::string_view resource,
                         std::string_view name) {
  auth::Attributes a;
  a.user = &context.user;
  a.verb = "impersonate";
  a.is_resource = true;
  a.version = "v1";
  a.resource = resource;
  a.name = name;
  auto decision = context.services.authorizer->authorize(a);
  if (decision.verdict == auth::Decision::Verdict::allow) return api::Done{};
  return api::forbidden_error("", resource, name, auth::forbidden_detail(a, decision.reason));
}

}  // namespace

api::Outcome<> filter_impersonate(RequestContext& context) {
  const auto& headers = context.request.headers;
  auth::User user;
  user.name = headers.get(kUser);
  user.uid = headers.get(kUid);
  for (auto group : headers.get_all(kGroup)) user.groups.emplace_back(group);
  for (const auto& [name, value] : headers.fields()) {
    auto lower = base::to_lower(name);
    if (!lower.starts_with(kExtraPrefix)) continue;
    user.extra.push_back({lower.substr(kExtraPrefix.size()), {value}});
  }
  if (user.name.empty()) {
    if (user.uid.empty() && user.groups.empty() && user.extra.empty()) return api::Done{};
    return api::bad_request_error("requested impersonation without impersonating a user");
  }
  SKIFF_CHECK(check_one(context, "users", user.name));
  for (const auto& group : user.groups) SKIFF_CHECK(check_one(context, "groups", group));
  if (!user.uid.empty()) SKIFF_CHECK(check_one(context, "uids", user.uid));
  for (const auto& extra : user.extra) {
    SKIFF_CHECK(check_one(context, base::concat("userextras/", extra.first), extra.second[0]));
  }
  const bool anonymous = user.name == auth::kAnonymousUser;
  const auto implied = anonymous ? auth::kUnauthenticatedGroup : auth::kAuthenticatedGroup;
  if (!user.in_group(implied)) user.groups.emplace_back(implied);
  context.user = std::move(user);
  return api::Done{};
}

}  // namespace skiff::apiserver
