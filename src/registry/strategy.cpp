#include "registry/strategy.h"

namespace skiff::registry {

namespace {

constexpr UpdateRules kStatus{.has_status = true};
constexpr UpdateRules kGeneration{.has_status = true, .tracks_generation = true};
constexpr UpdateRules kWorkload{
    .has_status = true, .tracks_generation = true, .status_keeps_labels = true};
constexpr UpdateRules kDeployment{.has_status = true,
                                  .tracks_generation = true,
                                  .annotations_count = true,
                                  .status_keeps_labels = true};

constexpr Strategy kStrategies[] = {
    {.group = "",
     .resource = "pods",
     .rules = kGeneration,
     .is_completed = true,
     .returns_deleted = true,
     .grace = pod_grace_period,
     .prepare_create = prepare_pod_create,
     .prepare_update = prepare_pod_update},
    {.group = "",
     .resource = "namespaces",
     .rules = kStatus,
     .is_namespace = true,
     .prepare_create = prepare_namespace_create,
     .prepare_update = prepare_namespace_update},
    {.group = "", .resource = "nodes", .rules = kStatus},
    {.group = "",
     .resource = "services",
     .rules = kStatus,
     .is_service = true,
     .returns_deleted = true,
     .prepare_create = prepare_service_create,
     .prepare_update = prepare_service_update},
    {.group = "", .resource = "serviceaccounts", .rules = {}, .returns_deleted = true},
    {.group = "",
     .resource = "secrets",
     .rules = {},
     .prepare_create = prepare_secret_create,
     .prepare_update = prepare_secret_update},
    {.group = "", .resource = "endpoints", .rules = {}, .create_on_update = true},
    {.group = "", .resource = "events", .rules = {}, .create_on_update = true},
    {.group = "discovery.k8s.io",
     .resource = "endpointslices",
     .rules = {.tracks_generation = true}},
    {.group = "coordination.k8s.io",
     .resource = "leases",
     .rules = {},
     .unconditional_update = false,
     .create_on_update = true},
    {.group = "apps",
     .resource = "replicasets",
     .rules = kWorkload,
     .prepare_create = prepare_replica_set_create},
    {.group = "apps",
     .resource = "deployments",
     .rules = kDeployment,
     .prepare_create = prepare_deployment_create},
    {.group = "certificates.k8s.io",
     .resource = "certificatesigningrequests",
     .rules = {},
     .prepare_create = prepare_signing_request_create,
     .prepare_update = prepare_signing_request_update},
    {.group = "rbac.authorization.k8s.io",
     .resource = "clusterroles",
     .rules = {},
     .create_on_update = true},
    {.group = "rbac.authorization.k8s.io",
     .resource = "clusterrolebindings",
     .rules = {},
     .create_on_update = true},
    {.group = "rbac.authorization.k8s.io",
     .resource = "roles",
     .rules = {},
     .create_on_update = true},
    {.group = "rbac.authorization.k8s.io",
     .resource = "rolebindings",
     .rules = {},
     .create_on_update = true},
};
constexpr Strategy kGeneric{};

}  // namespace

const Strategy& strategy_of(const api::ResourceInfo& resource) {
  for (const Strategy& strategy : kStrategies) {
    if (strategy.group == resource.storage_group &&
        strategy.resource == resource.storage_resource) {
      return strategy;
    }
  }
  return kGeneric;
}

}  // namespace skiff::registry
