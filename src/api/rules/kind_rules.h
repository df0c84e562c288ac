// The rules of each kind. Every function reads a defaulted object.
#pragma once

#include "api/rules/error_list.h"
#include "api/rules/metadata.h"

#include <string_view>

namespace skiff::api::rules {

using CreateRules = void (*)(const codec::Json& object, ErrorList& errors);
// `object` against `old_object` after an update of the object itself ("") or a subresource.
using UpdateRules = void (*)(const codec::Json& object, const codec::Json& old_object,
                             std::string_view subresource, ErrorList& errors);

struct KindRules {
  std::string_view group, kind;
  NameCheck name_check = check_path_segment_name;
  CreateRules on_create = nullptr;
  UpdateRules on_update = nullptr;
};

// The rules of a kind; a row with path segment names for kinds that have none of their own.
const KindRules& rules_of(std::string_view group, std::string_view kind);

// The rules of each kind, in the files of their names; `object` is of that kind.
void validate_namespace(const codec::Json& object, ErrorList& errors);
void validate_namespace_update(const codec::Json& object, const codec::Json& old_object,
                               std::string_view subresource, ErrorList& errors);
void validate_node(const codec::Json& object, ErrorList& errors);
void validate_node_update(const codec::Json& object, const codec::Json& old_object,
                          std::string_view subresource, ErrorList& errors);
void validate_service(const codec::Json& object, ErrorList& errors);
void validate_service_update(const codec::Json& object, const codec::Json& old_object,
                             std::string_view subresource, ErrorList& errors);
void validate_endpoints(const codec::Json& object, ErrorList& errors);
void validate_endpoints_update(const codec::Json& object, const codec::Json& old_object,
                               std::string_view subresource, ErrorList& errors);
void validate_config_map(const codec::Json& object, ErrorList& errors);
void validate_config_map_update(const codec::Json& object, const codec::Json& old_object,
                                std::string_view subresource, ErrorList& errors);
void validate_secret(const codec::Json& object, ErrorList& errors);
void validate_secret_update(const codec::Json& object, const codec::Json& old_object,
                            std::string_view subresource, ErrorList& errors);
void validate_lease(const codec::Json& object, ErrorList& errors);
void validate_lease_update(const codec::Json& object, const codec::Json& old_object,
                           std::string_view subresource, ErrorList& errors);
void validate_core_event(const codec::Json& object, ErrorList& errors);
void validate_core_event_update(const codec::Json& object, const codec::Json& old_object,
                                std::string_view subresource, ErrorList& errors);
void validate_event(const codec::Json& object, ErrorList& errors);
void validate_event_update(const codec::Json& object, const codec::Json& old_object,
                           std::string_view subresource, ErrorList& errors);
void validate_endpoint_slice(const codec::Json& object, ErrorList& errors);
void validate_endpoint_slice_update(const codec::Json& object, const codec::Json& old_object,
                                    std::string_view subresource, ErrorList& errors);
void validate_replica_set(const codec::Json& object, ErrorList& errors);
void validate_replica_set_update(const codec::Json& object, const codec::Json& old_object,
                                 std::string_view subresource, ErrorList& errors);
void validate_deployment(const codec::Json& object, ErrorList& errors);
void validate_deployment_update(const codec::Json& object, const codec::Json& old_object,
                                std::string_view subresource, ErrorList& errors);
void validate_role(const codec::Json& object, ErrorList& errors);
void validate_role_update(const codec::Json& object, const codec::Json& old_object,
                          std::string_view subresource, ErrorList& errors);
void validate_cluster_role(const codec::Json& object, ErrorList& errors);
void validate_cluster_role_update(const codec::Json& object, const codec::Json& old_object,
                                  std::string_view subresource, ErrorList& errors);
void validate_role_binding(const codec::Json& object, ErrorList& errors);
void validate_role_binding_update(const codec::Json& object, const codec::Json& old_object,
                                  std::string_view subresource, ErrorList& errors);
void validate_cluster_role_binding(const codec::Json& object, ErrorList& errors);
void validate_cluster_role_binding_update(const codec::Json& object, const codec::Json& old_object,
                                          std::string_view subresource, ErrorList& errors);
void validate_signing_request(const codec::Json& object, ErrorList& errors);
void validate_signing_request_update(const codec::Json& object, const codec::Json& old_object,
                                     std::string_view subresource, ErrorList& errors);
void validate_pod_create(const codec::Json& pod, ErrorList& errors);
void validate_pod_update(const codec::Json& pod, const codec::Json& old_pod,
                         std::string_view subresource, ErrorList& errors);

}  // namespace skiff::api::rules
