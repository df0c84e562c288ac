#include <skiff/api/object.h>

#include <algorithm>

#include "registry/strategy.h"

namespace skiff::registry {

using codec::Json;

namespace {
constexpr std::string_view kKubernetesFinalizer = "kubernetes";
}

void prepare_namespace_create(Json& object) {
  object.set("status", Json::object({{"phase", "Active"}}));
  Json finalizers = std::as_const(object)["spec"]["finalizers"];
  if (!finalizers.is_array()) finalizers = Json::array();
  const auto& items = finalizers.items();
  if (std::find(items.begin(), items.end(), Json(kKubernetesFinalizer)) == items.end()) {
    finalizers.push_back(Json(kKubernetesFinalizer));
  }
  object["spec"].set("finalizers", std::move(finalizers));
  std::string name(api::name_of(object));
  object["metadata"]["labels"].set("kubernetes.io/metadata.name", std::move(name));
}

void prepare_namespace_update(std::string_view subresource, Json& object, const Json& live) {
  if (subresource == "finalize") {
    if (const Json* status = live.find("status")) object.set("status", *status);
    return;
  }
  if (subresource.empty()) {
    if (const Json* spec = live.find("spec")) object.set("spec", *spec);
  }
}

}  // namespace skiff::registry
