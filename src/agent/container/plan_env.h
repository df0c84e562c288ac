// Environment, command and arguments of a container, as the kubelet makes them. Pure.
#pragma once

#include <skiff/base/result.h>
#include <skiff/codec/json.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skiff::agent {

using EnvList = std::vector<std::pair<std::string, std::string>>;

// Replaces "$(NAME)" where `find` knows the name, leaves it where it does not, "$$" becomes "$".
// `find` returns nullptr for an unknown name.
std::string expand_variables(std::string_view text,
                             const std::function<const std::string*(std::string_view)>& find);

// Facts of the node that pods can ask for.
struct NodeFacts {
  std::string node_name, node_ip;
  std::int64_t memory_bytes = 0;  // capacity; the rest is what pods may have of it
  std::int64_t allocatable_milli_cpu = 0, allocatable_memory_bytes = 0, allocatable_disk_bytes = 0;
};

// A field of the downward API: metadata.name, metadata.labels['x'], spec.nodeName, status.podIP …
// Errors: invalid_argument ("unsupported fieldPath: …").
base::Result<std::string> plan_field(const codec::Json& pod, std::string_view path,
                                     const std::string& pod_ip, const NodeFacts& node);
// {"resource":"limits.cpu","divisor":"1m"} of a container.
base::Result<std::string> plan_resource_field(const codec::Json& container,
                                              const codec::Json& selector, const NodeFacts& node);

// Objects that were fetched, by name; what is not in the map does not exist.
struct ConfigSources {
  std::map<std::string, codec::Json, std::less<>> config_maps, secrets;
};
// Names of the ConfigMaps and Secrets that the pod refers to (env, envFrom, volumes).
struct ConfigNames {
  std::vector<std::string> config_maps, secrets;
};
ConfigNames plan_config_names(const codec::Json& pod);

struct EnvInput {
  const codec::Json& pod;
  const codec::Json& container;
  std::string pod_ip;
  NodeFacts node;
  const ConfigSources& sources;
  // Those of the pod's namespace and default/kubernetes.
  const std::vector<codec::Json>& services;
};
// In the order of definition, each name once (the last definition wins). Errors in the kubelet's
// words: `configmap "x" not found`, `couldn't find key k in ConfigMap default/x`.
base::Result<EnvList> plan_env(const EnvInput& input);
// Command or args with "$(NAME)" expanded.
std::vector<std::string> plan_arguments(const codec::Json& list, const EnvList& env);

// Service links: WEB_SERVICE_HOST, WEB_PORT_80_TCP_ADDR, …
EnvList plan_service_env(const std::vector<codec::Json>& services, std::string_view namespace_name,
                         bool all_services);

}  // namespace skiff::agent
