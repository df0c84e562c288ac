#include <skiff/api/object.h>
#include <skiff/api/selector.h>
#include <skiff/base/strings.h>
#include <skiff/registry/registry.h>

#include "registry/strategy.h"

namespace skiff::registry {

using codec::Json;

void prepare_replica_set_create(Json& object) {
  object.set("status", Json::object({{"replicas", 0}}));
}

void prepare_deployment_create(Json& object) { object.set("status", Json::object()); }

Json scale_of(const Json& object) {
  Json metadata = Json::object();
  for (auto member : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (const Json* value = object["metadata"].find(member)) metadata.set(member, *value);
  }
  Json spec = Json::object();
  // Zero is left out, as in Go.
  if (auto replicas = object["spec"]["replicas"].as_int(1); replicas != 0) {
    spec.set("replicas", Json(replicas));
  }
  Json status = Json::object({{"replicas", Json(object["status"]["replicas"].as_int())}});
  if (auto selector = api::LabelSelector::from_json(object["spec"]["selector"]); selector.is_ok()) {
    status.set("selector", selector->to_string());
  }
  return Json::object({{"kind", "Scale"},
                       {"apiVersion", "autoscaling/v1"},
                       {"metadata", std::move(metadata)},
                       {"spec", std::move(spec)},
                       {"status", std::move(status)}});
}

api::Outcome<Json> apply_scale(const Json& live, const Json& scale) {
  const auto replicas = scale["spec"]["replicas"].as_int();
  if (replicas < 0) {
    api::ApiError error;
    error.code = 422;
    error.reason = api::Reason::invalid;
    error.group = "autoscaling";
    error.kind = "Scale";
    error.name = std::string(api::name_of(live));
    std::string detail =
        base::concat("Invalid value: ", replicas, ": must be greater than or equal to 0");
    error.message = base::concat("Scale.autoscaling ", base::quote(error.name),
                                 " is invalid: spec.replicas: ", detail);
    error.causes.push_back({"FieldValueInvalid", detail, "spec.replicas"});
    return error;
  }
  Json object = live;
  object["spec"].set("replicas", Json(replicas));
  object["metadata"].set("resourceVersion", scale["metadata"]["resourceVersion"]);
  auto uid = api::uid_of(scale);
  if (!uid.empty()) object["metadata"].set("uid", uid);
  return object;
}

}  // namespace skiff::registry
