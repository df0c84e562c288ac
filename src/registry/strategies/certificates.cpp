#include <skiff/api/object.h>

#include "registry/strategy.h"

namespace skiff::registry {

using codec::Json;

namespace {

std::vector<std::size_t> indices_of(const Json& conditions, std::string_view type) {
  std::vector<std::size_t> found;
  const auto& items = conditions.items();
  for (std::size_t i = 0; i < items.size(); ++i)
    if (items[i]["type"].as_string() == type) found.push_back(i);
  return found;
}

// Who signs cannot approve: these conditions stay as they are. Validation refuses more or fewer.
void keep_conditions(std::string_view type, Json& request, const Json& live) {
  const Json& before = live["status"]["conditions"];
  auto from = indices_of(before, type);
  auto to = indices_of(std::as_const(request)["status"]["conditions"], type);
  if (from.empty() || from.size() != to.size()) return;
  auto& conditions = request["status"]["conditions"].mutable_items();
  for (std::size_t i = 0; i < from.size(); ++i) conditions[to[i]] = before.item(from[i]);
}

void set_or_erase(Json& object, std::string_view member, const Json& value) {
  if (value.is_null()) {
    object.erase(member);
  } else {
    object.set(member, value);
  }
}

// Only the conditions are the approver's.
void keep_all_but_conditions(Json& request, const Json& live) {
  const Json conditions = std::as_const(request)["status"]["conditions"];
  Json status = live["status"].is_object() ? live["status"] : Json::object();
  set_or_erase(status, "conditions", conditions);
  request.set("status", std::move(status));
}

}  // namespace

void prepare_signing_request_create(Json& request) { request.set("status", Json::object()); }

void prepare_signing_request_update(std::string_view subresource, Json& request, const Json& live) {
  request.set("spec", live["spec"]);
  if (subresource == "approval") {
    keep_all_but_conditions(request, live);
  } else if (subresource == "status") {
    keep_conditions("Approved", request, live);
    keep_conditions("Denied", request, live);
  } else {
    set_or_erase(request, "status", live["status"]);
  }
}

}  // namespace skiff::registry
