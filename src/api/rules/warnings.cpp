#include <skiff/api/validation.h>
#include <skiff/base/strings.h>

#include "api/rules/error_list.h"

#include <map>
#include <set>

namespace skiff::api {

using base::concat;
using codec::Json;
using rules::child;
using rules::index;
using rules::key;

namespace {

constexpr std::size_t kWarningsMax = 50;

struct Replacement {
  std::string_view old_name, text;
};
constexpr Replacement kNodeLabels[] = {
    {"beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"},
    {"beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"},
    {"failure-domain.beta.kubernetes.io/region",
     "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"},
    {"failure-domain.beta.kubernetes.io/zone",
     "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"},
    {"beta.kubernetes.io/instance-type",
     "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"},
};

class Warnings {
 public:
  void add(std::string text) {
    if (list_.size() < kWarningsMax) list_.push_back(std::move(text));
  }
  std::vector<std::string> take() { return std::move(list_); }

  void of_node_labels(const Json& labels, const std::string& path) {
    for (const auto& row : kNodeLabels)
      if (labels.contains(row.old_name)) add(concat(key(path, row.old_name), ": ", row.text));
  }

  void of_pod_spec(const Json& spec, const std::string& path) {
    of_node_labels(spec["nodeSelector"], child(path, "nodeSelector"));
    const auto& volumes = spec["volumes"].items();
    for (std::size_t i = 0; i < volumes.size(); ++i)
      if (!volumes[i]["gitRepo"].is_null())
        add(concat(child(index(child(path, "volumes"), i), "gitRepo"),
                   ": deprecated in v1.11, and disabled by default in v1.33+"));
    for (std::string_view list : {"initContainers", "containers"}) {
      const auto& containers = spec[list].items();
      for (std::size_t i = 0; i < containers.size(); ++i)
        of_container(containers[i], index(child(path, list), i));
    }
    of_host_aliases(spec["hostAliases"], child(path, "hostAliases"));
    const auto& secrets = spec["imagePullSecrets"].items();
    for (std::size_t i = 0; i < secrets.size(); ++i)
      if (secrets[i]["name"].as_string().empty())
        add(concat(index(child(path, "imagePullSecrets"), i), ": invalid empty name \"\""));
    const Json& grace = spec["terminationGracePeriodSeconds"];
    if (grace.as_int() < 0)
      add(concat(child(path, "terminationGracePeriodSeconds"),
                 ": must be >= 0; negative values are invalid and will be treated as 1"));
  }

  void of_service(const Json& service) {
    const Json& spec = service["spec"];
    if (!spec["loadBalancerIP"].as_string().empty())
      add("spec.loadBalancerIP: deprecated since v1.24; use an implementation-specific annotation "
          "when available");
    if (spec["type"].as_string() != "ExternalName" && !spec["externalName"].as_string().empty())
      add("spec.externalName is ignored when spec.type is not \"ExternalName\"");
    if (spec["clusterIP"].as_string() == "None" &&
        spec["sessionAffinity"].as_string() == "ClientIP")
      add("spec.SessionAffinity is ignored for headless services");
  }

  // A name that becomes a host name should be one.
  void of_host_name(const Json& object, std::string_view what) {
    auto defects = check_dns1123_label(object["metadata"]["name"].as_string());
    if (!defects.empty())
      add(concat("metadata.name: this is used in ", what,
                 ", which can result in surprising behavior; a DNS label is recommended: [",
                 base::join(defects, " "), "]"));
  }

 private:
  void of_container(const Json& container, const std::string& path) {
    const auto& variables = container["env"].items();
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < variables.size(); ++i) {
      std::string_view name = variables[i]["name"].as_string();
      // A variable that names itself builds on the one before.
      const bool builds_on =
          variables[i]["value"].as_string().find(concat("$(", name, ")")) != std::string_view::npos;
      if (!names.insert(name).second && !builds_on)
        add(concat(index(child(path, "env"), i), ": hides previous definition of ",
                   base::quote(name), ", which may be dropped when using apply"));
    }
    const auto& ports = container["ports"].items();
    std::map<std::string, std::size_t> seen;
    for (std::size_t i = 0; i < ports.size(); ++i) {
      std::string identity =
          concat(ports[i]["protocol"].as_string("TCP"), "/", ports[i]["hostIP"].as_string(), "/",
                 ports[i]["hostPort"].as_int(), "/", ports[i]["containerPort"].as_int());
      auto [place, is_new] = seen.emplace(std::move(identity), i);
      if (!is_new)
        add(concat(index(child(path, "ports"), i), ": duplicate port definition with ",
                   index(child(path, "ports"), place->second)));
    }
    for (std::string_view list : {"limits", "requests"})
      for (const auto& member : container["resources"][list].members())
        if ((member.key == "memory" || member.key == "ephemeral-storage") &&
            base::ends_with(member.value.as_string(), "m"))
          add(concat(key(child(child(path, "resources"), list), member.key),
                     ": fractional byte value ", base::quote(member.value.as_string()),
                     " is invalid, must be an integer"));
  }

  void of_host_aliases(const Json& aliases, const std::string& path) {
    std::set<std::string_view> seen;
    for (const auto& alias : aliases.items())
      if (!seen.insert(alias["ip"].as_string()).second)
        add(concat(path, ": duplicate ip ", base::quote(alias["ip"].as_string())));
  }

  std::vector<std::string> list_;
};

}  // namespace

std::vector<std::string> warnings_for(const ResourceInfo& resource, const Json& object) {
  Warnings warnings;
  if (resource.group.empty() && resource.kind == "Pod") {
    warnings.of_host_name(object, "the Pod's hostname");
    warnings.of_pod_spec(object["spec"], "spec");
  } else if (resource.group == "apps" &&
             (resource.kind == "Deployment" || resource.kind == "ReplicaSet")) {
    warnings.of_host_name(object, "Pod names and hostnames");
    warnings.of_pod_spec(object["spec"]["template"]["spec"], "spec.template.spec");
  } else if (resource.group.empty() && resource.kind == "Service") {
    warnings.of_service(object);
  } else if (resource.group.empty() && resource.kind == "Endpoints") {
    warnings.add("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice");
  }
  return warnings.take();
}

}  // namespace skiff::api
