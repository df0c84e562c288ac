// Rules of pod specs, in pods and in templates. The parts are in the files of their names.
#pragma once

#include "api/rules/error_list.h"
#include "api/rules/metadata.h"
#include "api/rules/values.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace skiff::api::rules {

using Volumes = std::map<std::string_view, const codec::Json*>;

struct PodContext {
  const codec::Json& spec;
  Volumes volumes;  // the valid ones, by name
  std::optional<std::int64_t> grace_seconds;
  bool is_pod = false;  // not a template
};

void validate_pod_spec(const codec::Json& spec, const std::string& path, bool is_pod,
                       ErrorList& errors);
// metadata.labels and annotations, spec, and what no template may have.
void validate_pod_template(const codec::Json& pod_template, const std::string& path,
                           ErrorList& errors);

// volumes.cpp
Volumes validate_volumes(const codec::Json& volumes, const std::string& path, ErrorList& errors);
void validate_field_ref(const codec::Json& reference, const std::string& path,
                        std::span<const std::string_view> fields, ErrorList& errors);
void validate_resource_field_ref(const codec::Json& reference, const std::string& path,
                                 bool needs_container, ErrorList& errors);

// containers.cpp
void validate_containers(const PodContext& pod, const std::string& path, ErrorList& errors);
void validate_init_containers(const PodContext& pod, const std::string& path, ErrorList& errors);
void validate_ephemeral_containers(const PodContext& pod, const std::string& path,
                                   ErrorList& errors);

// probes.cpp
void validate_probes(const PodContext& pod, const codec::Json& container, const std::string& path,
                     ErrorList& errors);

// resources.cpp
void validate_resources(const codec::Json& resources, const codec::Json& pod_claims,
                        const std::string& path, ErrorList& errors);

// security.cpp
void validate_pod_security(const codec::Json& spec, const std::string& path, ErrorList& errors);
void validate_container_security(const codec::Json& context, bool host_users,
                                 const std::string& path, ErrorList& errors);

// scheduling.cpp
void validate_affinity(const codec::Json& affinity, const std::string& path, ErrorList& errors);
void validate_tolerations(const codec::Json& tolerations, const std::string& path,
                          ErrorList& errors);
void validate_taints(const codec::Json& taints, const std::string& path, ErrorList& errors);
void validate_spread_constraints(const codec::Json& constraints, const std::string& path,
                                 ErrorList& errors);

}  // namespace skiff::api::rules
