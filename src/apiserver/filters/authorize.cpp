#include "apiserver/filters/filters.h"

#include <skiff/base/strings.h>

namespace skiff::apiserver {

namespace {

// Views into the context.
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

}  // namespace

api::Outcome<> authorize_also(const RequestContext& context, std::string_view verb) {
  const auto& info = context.info;
  if (info.verb == verb) return api::Done{};
  auto a = authorizer_attributes(context);
  a.verb = verb;
  auto decision = context.services.authorizer->authorize(a);
  if (decision.verdict == auth::Decision::Verdict::allow) return api::Done{};
  return api::forbidden_error(info.group, info.resource, info.name,
                              auth::forbidden_detail(a, decision.reason));
}

api::Outcome<> filter_authorize(RequestContext& context) {
  const auto& info = context.info;
  auto a = authorizer_attributes(context);
  auto decision = context.services.authorizer->authorize(a);
  if (decision.verdict == auth::Decision::Verdict::allow) return api::Done{};
  if (context.user.name == auth::kAnonymousUser) return api::unauthorized_error();
  auto detail = auth::forbidden_detail(a, decision.reason);
  if (info.is_resource) {
    return api::forbidden_error(info.group, info.resource, info.name, detail);
  }
  api::ApiError error;
  error.code = 403;
  error.reason = api::Reason::forbidden;
  error.message = base::concat("forbidden: ", detail);
  return error;
}

}  // namespace skiff::apiserver
