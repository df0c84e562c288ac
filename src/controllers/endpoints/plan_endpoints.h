// Endpoints and EndpointSlices of a Service from its pods. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controllers/common/controller.h"
#include "controllers/common/objects.h"

namespace skiff::controllers {

bool has_selector(const Json& service);
bool is_headless(const Json& service);

// Zone of a node, "" when unknown.
using ZoneOf = std::function<std::string(std::string_view node)>;

// One pod as an endpoint, with the ports that it serves the Service on.
struct PodEndpoint {
  Json endpoint;                          // discovery/v1 Endpoint
  Json ports;                             // discovery/v1 EndpointPort list
  std::optional<base::WallTime> changed;  // when the pod's readiness did
};
// `pods` are those that the selector matches; those without an address or at their end are left
// out.
std::vector<PodEndpoint> plan_pod_endpoints(const Json& service, const std::vector<JsonPtr>& pods,
                                            const ZoneOf& zone_of);

struct SlicePlan {
  std::vector<Json> create, update;
  std::vector<JsonPtr> remove;
};
// The least change that makes `present` (slices of this Service that are ours) show the endpoints.
SlicePlan plan_endpoint_slices(const Json& service, const std::vector<PodEndpoint>& endpoints,
                               const std::vector<JsonPtr>& present);

// Whether the Endpoints object of the Service is its users' own, and is to become slices.
bool is_mirrored(const Json& service, const Json& endpoints);
// The same for such an Endpoints object; `present` are its slices that are ours. At most
// kEndpointsMax addresses of a subset.
SlicePlan plan_mirrored_slices(const Json& endpoints, const std::vector<JsonPtr>& present);

// The Endpoints object; `present` is null JSON when there is none.
Json plan_endpoints(const Json& service, const std::vector<JsonPtr>& pods, const Json& present);

// When what the Service shows changed last: clients measure how long it took to reach them.
std::string last_change(const Json& service, const std::vector<PodEndpoint>& endpoints);

inline constexpr std::string_view kTriggerTimeAnnotation =
    "endpoints.kubernetes.io/last-change-trigger-time";
inline constexpr std::string_view kServiceNameLabel = "kubernetes.io/service-name";
inline constexpr std::string_view kSliceManagedByLabel = "endpointslice.kubernetes.io/managed-by";
inline constexpr std::string_view kSliceManager = "endpointslice-controller.k8s.io";
inline constexpr std::string_view kMirroringManager = "endpointslicemirroring-controller.k8s.io";

}  // namespace skiff::controllers
