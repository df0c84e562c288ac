// TokenReview: whose a token is.
#include <skiff/base/strings.h>

#include <utility>

#include "apiserver/handlers/handlers.h"

namespace skiff::apiserver {

using codec::Json;

Json user_info(const auth::User& user) {
  Json info = Json::object({{"username", user.name}});
  if (!user.uid.empty()) info.set("uid", user.uid);
  for (const auto& group : user.groups) info["groups"].push_back(group);
  for (const auto& [key, values] : user.extra) {
    Json list = Json::array();
    for (const auto& value : values) list.push_back(value);
    info["extra"].set(key, std::move(list));
  }
  return info;
}

api::Outcome<Json> review_token(RequestContext& context, Json review) {
  const Json spec = std::as_const(review)["spec"];
  const auto token = spec["token"].as_string();
  if (token.empty()) {
    return api::bad_request_error("token is required for TokenReview in authentication");
  }
  std::vector<std::string> audiences;
  for (const auto& audience : spec["audiences"].items()) {
    audiences.emplace_back(audience.as_string());
  }
  auto found = context.services.authenticator->authenticate_token(token, audiences);
  if (!found.is_ok()) {
    review.set("status",
               Json::object({{"user", Json::object()}, {"error", found.status().message()}}));
    return review;
  }
  for (auto& warning : found->warnings) context.warnings.push_back(std::move(warning));
  Json meant = Json::array();
  for (const auto& audience : found->audiences) meant.push_back(audience);
  review.set("status", Json::object({{"authenticated", true},
                                     {"user", user_info(found->user)},
                                     {"audiences", std::move(meant)}}));
  return review;
}

}  // namespace skiff::apiserver
