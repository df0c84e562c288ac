#include "api/rules/kind_rules.h"

namespace skiff::api::rules {

namespace {

constexpr KindRules kKindRules[] = {
    {"", "Namespace", check_dns1123_label, validate_namespace, validate_namespace_update},
    {"", "Node", check_dns1123_subdomain, validate_node, validate_node_update},
    {"", "Pod", check_dns1123_subdomain, validate_pod_create, validate_pod_update},
    {"", "Service", check_dns1035_label, validate_service, validate_service_update},
    {"", "Endpoints", check_dns1123_subdomain, validate_endpoints, validate_endpoints_update},
    {"", "ConfigMap", check_dns1123_subdomain, validate_config_map, validate_config_map_update},
    {"", "Secret", check_dns1123_subdomain, validate_secret, validate_secret_update},
    {"", "ServiceAccount", check_dns1123_subdomain},
    {"", "Event", check_path_segment_name, validate_core_event, validate_core_event_update},
    {"events.k8s.io", "Event", check_dns1123_subdomain, validate_event, validate_event_update},
    {"coordination.k8s.io", "Lease", check_dns1123_subdomain, validate_lease,
     validate_lease_update},
    {"discovery.k8s.io", "EndpointSlice", check_dns1123_subdomain, validate_endpoint_slice,
     validate_endpoint_slice_update},
    {"apps", "ReplicaSet", check_dns1123_subdomain, validate_replica_set,
     validate_replica_set_update},
    {"apps", "Deployment", check_dns1123_subdomain, validate_deployment,
     validate_deployment_update},
    {"certificates.k8s.io", "CertificateSigningRequest", check_path_segment_name,
     validate_signing_request, validate_signing_request_update},
    {"rbac.authorization.k8s.io", "Role", check_path_segment_name, validate_role,
     validate_role_update},
    {"rbac.authorization.k8s.io", "ClusterRole", check_path_segment_name, validate_cluster_role,
     validate_cluster_role_update},
    {"rbac.authorization.k8s.io", "RoleBinding", check_path_segment_name, validate_role_binding,
     validate_role_binding_update},
    {"rbac.authorization.k8s.io", "ClusterRoleBinding", check_path_segment_name,
     validate_cluster_role_binding, validate_cluster_role_binding_update},
};
constexpr KindRules kOthers;

}  // namespace

const KindRules& rules_of(std::string_view group, std::string_view kind) {
  for (const auto& row : kKindRules)
    if (row.group == group && row.kind == kind) return row;
  return kOthers;
}

}  // namespace skiff::api::rules
