#include <skiff/base/strings.h>
#include <skiff/client/watch_frames.h>

#include "apiserver/filters/filters.h"
#include "apiserver/tunnel/access.h"

namespace skiff::apiserver {

auth::Attributes authorizer_attributes(const RequestContext& context) {
  const auto& info = context.info;
  auth::Attributes a;
  a.user = &context.user;
  a.verb = info.verb;
  a.is_resource = info.is_resource;
  a.path = info.path;
  a.group = info.group;
  a.version = info.version;
  a.resource = info.resource;
  a.subresource = info.subresource;
  a.namespace_name = info.namespace_name;
  a.name = info.name;
  a.field_selector = context.parameter("fieldSelector");
  return a;
}

api::ApiError not_allowed(const auth::Attributes& a, std::string_view reason) {
  auto detail = auth::forbidden_detail(a, reason);
  if (a.is_resource) return api::forbidden_error(a.group, a.resource, a.name, detail);
  api::ApiError error;
  error.code = 403;
  error.reason = api::Reason::forbidden;
  error.message = base::concat("forbidden: ", detail);
  return error;
}

api::Outcome<> check_allowed(const RequestContext& context, const auth::Attributes& a) {
  auto decision = context.services.authorizer->authorize(a);
  if (decision.verdict == auth::Decision::Verdict::allow) return api::Done{};
  return not_allowed(a, decision.reason);
}

api::Outcome<> authorize_also(const RequestContext& context, std::string_view verb) {
  if (context.info.verb == verb) return api::Done{};
  auto a = authorizer_attributes(context);
  a.verb = verb;
  return check_allowed(context, a);
}

api::Outcome<> filter_authorize(RequestContext& context) {
  // Each watch of the session is authorized by itself.
  if (context.info.path == client::kWatchTarget && context.user.name != auth::kAnonymousUser)
    return api::Done{};
  if (is_node_session_path(context.info.path)) return check_is_node(context);
  return check_allowed(context, authorizer_attributes(context));
}

}  // namespace skiff::apiserver
