#include "apiserver/signing_request.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

Json text_list(const std::vector<std::string>& texts) {
  Json list = Json::array();
  for (const auto& text : texts) list.push_back(text);
  return list;
}

void set_requester(const auth::User& user, Json& spec) {
  for (auto member : {"username", "uid", "groups", "extra"}) spec.erase(member);
  spec.set("username", user.name);
  if (!user.uid.empty()) spec.set("uid", user.uid);
  if (!user.groups.empty()) spec.set("groups", text_list(user.groups));
  if (user.extra.empty()) return;
  Json extra = Json::object();
  for (const auto& [key, values] : user.extra) extra.set(key, text_list(values));
  spec.set("extra", std::move(extra));
}

// When the condition became what it is, if it was the same before.
std::string transition_time(const Json& condition, const Json& live, const std::string& now) {
  for (const Json& before : live["status"]["conditions"].items()) {
    const Json& time = before["lastTransitionTime"];
    if (before["type"] == condition["type"] && before["status"] == condition["status"] &&
        !time.as_string().empty())
      return std::string(time.as_string());
  }
  return now;
}

void set_times(Json& object, const Json& live, const std::string& now) {
  if (!std::as_const(object)["status"]["conditions"].is_array()) return;
  for (Json& condition : object["status"]["conditions"].mutable_items()) {
    const Json& given = condition;
    if (given["lastUpdateTime"].as_string().empty()) condition.set("lastUpdateTime", now);
    if (given["lastTransitionTime"].as_string().empty())
      condition.set("lastTransitionTime", transition_time(condition, live, now));
  }
}

}  // namespace

void complete_signing_request(const RequestContext& context, Json& object, const Json& live) {
  const auto& info = context.info;
  const bool concerns = info.group == "certificates.k8s.io" &&
                        info.resource == "certificatesigningrequests" && object.is_object();
  if (!concerns) return;
  if (live.is_null()) {
    set_requester(context.user, object["spec"]);
  } else if (!info.subresource.empty()) {
    set_times(object, live, base::format_rfc3339(context.services.clock().now()));
  }
}

}  // namespace skiff::apiserver
