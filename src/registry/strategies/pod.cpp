#include <skiff/api/object.h>
#include <skiff/api/quantity.h>

#include "registry/strategy.h"

namespace skiff::registry {

using codec::Json;

namespace {

// Sum over the containers of one resource; has_all tells whether each of them names it.
struct ResourceTotals {
  bool any = false;
  bool guaranteed = true;
};

void look_at_container(const Json& container, ResourceTotals& totals) {
  const Json& requests = container["resources"]["requests"];
  const Json& limits = container["resources"]["limits"];
  for (std::string_view name : {"cpu", "memory"}) {
    auto limit = api::Quantity::parse(limits[name].as_string());
    auto request = api::Quantity::parse(requests[name].as_string());
    const bool has_limit = limit.is_ok() && limit->milli_value() > 0;
    const bool has_request = request.is_ok() && request->milli_value() > 0;
    if (has_limit || has_request) totals.any = true;
    if (!has_limit) totals.guaranteed = false;
    if (has_request && has_limit && !(*request == *limit)) totals.guaranteed = false;
  }
}

// Everything but the named member of spec stays as it is.
void restore_spec_but(std::string_view member, Json& pod, const Json& live) {
  Json spec = live["spec"];
  if (const Json* value = std::as_const(pod)["spec"].find(member)) spec.set(member, *value);
  pod.set("spec", std::move(spec));
}

}  // namespace

std::string_view pod_qos_class(const Json& pod) {
  ResourceTotals totals;
  for (std::string_view list : {"containers", "initContainers"}) {
    for (const auto& container : pod["spec"][list].items()) look_at_container(container, totals);
  }
  if (!totals.any) return "BestEffort";
  return totals.guaranteed ? "Guaranteed" : "Burstable";
}

void prepare_pod_create(Json& pod) {
  pod["metadata"].set("generation", 1);
  Json status = Json::object({{"phase", "Pending"}, {"qosClass", pod_qos_class(pod)}});
  if (!std::as_const(pod)["spec"]["schedulingGates"].empty()) {
    status.set("conditions",
               Json::array({Json::object(
                   {{"type", "PodScheduled"},
                    {"status", "False"},
                    {"reason", "SchedulingGated"},
                    {"message", "Scheduling is blocked due to non-empty scheduling gates"}})}));
  }
  pod.set("status", std::move(status));
}

void prepare_pod_update(std::string_view subresource, Json& pod, const Json& live) {
  if (subresource == "ephemeralcontainers") restore_spec_but("ephemeralContainers", pod, live);
  if (subresource == "resize") restore_spec_but("containers", pod, live);
  if (subresource == "status") {
    // The class of service never changes.
    const Json& before = live["status"]["qosClass"];
    if (!before.as_string().empty()) pod["status"].set("qosClass", before);
  }
  if (subresource == "ephemeralcontainers" || subresource == "resize") {
    const bool changed = std::as_const(pod)["spec"] != live["spec"];
    auto generation = live["metadata"]["generation"].as_int() + (changed ? 1 : 0);
    pod["metadata"].set("generation", generation);
  }
}

}  // namespace skiff::registry
