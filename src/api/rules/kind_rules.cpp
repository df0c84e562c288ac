#include "api/rules/kind_rules.h"

namespace skiff::api::rules {

namespace {

constexpr KindRules kKindRules[] = {
    {"", "Namespace", check_dns1123_label},
    {"", "Node", check_dns1123_subdomain},
    {"", "Pod", check_dns1123_subdomain},
    {"", "Service", check_dns1035_label},
    {"", "Endpoints", check_dns1123_subdomain},
    {"", "ConfigMap", check_dns1123_subdomain},
    {"", "Secret", check_dns1123_subdomain},
    {"", "ServiceAccount", check_dns1123_subdomain},
    {"", "Event", check_path_segment_name},
    {"events.k8s.io", "Event", check_path_segment_name},
    {"coordination.k8s.io", "Lease", check_dns1123_subdomain},
    {"discovery.k8s.io", "EndpointSlice", check_dns1123_subdomain},
    {"apps", "ReplicaSet", check_dns1123_subdomain},
    {"apps", "Deployment", check_dns1123_subdomain},
};
constexpr KindRules kOthers;

}  // namespace

const KindRules& rules_of(std::string_view group, std::string_view kind) {
  for (const auto& row : kKindRules)
    if (row.group == group && row.kind == kind) return row;
  return kOthers;
}

}  // namespace skiff::api::rules
