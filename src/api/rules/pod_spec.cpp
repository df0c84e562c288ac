#include "api/rules/pod_spec.h"

#include <skiff/base/strings.h>

#include <set>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

constexpr std::size_t kNameserversMax = 3;
constexpr std::size_t kSearchesMax = 32;
constexpr std::size_t kSearchBytesMax = 2048;

void validate_dns_config(const Json& spec, const std::string& path, ErrorList& errors) {
  const Json& config = spec["dnsConfig"];
  const Json& servers = config["nameservers"];
  if (spec["dnsPolicy"].as_string() == "None") {
    if (config.is_null())
      return errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
    if (servers.empty())
      return errors.required(child(path, "nameservers"),
                             "must provide at least one DNS nameserver when `dnsPolicy` is None");
  }
  if (servers.size() > kNameserversMax)
    errors.invalid(child(path, "nameservers"), servers,
                   concat("must not have more than ", kNameserversMax, " nameservers"));
  for (std::size_t i = 0; i < servers.items().size(); ++i)
    validate_ip(servers.item(i).as_string(), index(child(path, "nameservers"), i), errors);
  const Json& searches = config["searches"];
  if (searches.size() > kSearchesMax)
    errors.invalid(child(path, "searches"), searches,
                   concat("must not have more than ", kSearchesMax, " search paths"));
  std::size_t bytes = searches.size();
  for (const auto& search : searches.items()) bytes += search.size();
  if (bytes > kSearchBytesMax + 1)
    errors.invalid(child(path, "searches"), searches,
                   concat("must not have more than ", kSearchBytesMax,
                          " characters (including spaces) in the search list"));
  for (std::size_t i = 0; i < searches.items().size(); ++i) {
    std::string_view search = searches.item(i).as_string();
    if (search == ".") continue;
    if (base::ends_with(search, ".")) search.remove_suffix(1);
    errors.invalid_each(index(child(path, "searches"), i), search,
                        check_subdomain_with_underscore(search));
  }
  const auto& options = config["options"].items();
  for (std::size_t i = 0; i < options.size(); ++i)
    if (options[i]["name"].as_string().empty())
      errors.required(index(child(path, "options"), i), "must not be empty");
}

void validate_host_network_ports(const PodContext& pod, const std::string& path,
                                 ErrorList& errors) {
  if (!pod.spec["hostNetwork"].as_bool()) return;
  const auto& containers = pod.spec["containers"].items();
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const auto& ports = containers[i]["ports"].items();
    for (std::size_t k = 0; k < ports.size(); ++k) {
      const std::int64_t host_port = ports[k]["hostPort"].as_int();
      if ((!pod.is_pod && host_port == 0) || host_port == ports[k]["containerPort"].as_int())
        continue;
      const std::string port_path = index(child(index(child(path, "containers"), i), "ports"), k);
      errors.invalid(child(port_path, "hostPort"), Json(host_port),
                     "must match `containerPort` when `hostNetwork` is true");
    }
  }
}

void validate_gates(const Json& spec, const std::string& path, ErrorList& errors) {
  const auto& readiness = spec["readinessGates"].items();
  for (std::size_t i = 0; i < readiness.size(); ++i)
    validate_label_name(readiness[i]["conditionType"].as_string(),
                        child(index(child(path, "readinessGates"), i), "conditionType"), errors);
  std::set<std::string_view> seen;
  const auto& gates = spec["schedulingGates"].items();
  for (std::size_t i = 0; i < gates.size(); ++i) {
    std::string_view name = gates[i]["name"].as_string();
    const std::string gate_path = index(child(path, "schedulingGates"), i);
    validate_label_name(name, gate_path, errors);
    if (!seen.insert(name).second) errors.duplicate(gate_path, name);
  }
}

void validate_names(const Json& spec, const std::string& path, ErrorList& errors) {
  for (std::string_view field : {"serviceAccountName", "nodeName"})
    if (!spec[field].as_string().empty())
      validate_dns_subdomain(spec[field].as_string(), child(path, field), errors);
  if (const Json& seconds = spec["activeDeadlineSeconds"];
      !seconds.is_null() && (seconds.as_int() < 1 || seconds.as_int() > INT32_MAX))
    errors.invalid(child(path, "activeDeadlineSeconds"), seconds, range_text(1, INT32_MAX));
  for (std::string_view field : {"hostname", "subdomain"})
    if (!spec[field].as_string().empty())
      validate_dns_label(spec[field].as_string(), child(path, field), errors);
  validate_tolerations(spec["tolerations"], child(path, "tolerations"), errors);
  const auto& aliases = spec["hostAliases"].items();
  for (std::size_t i = 0; i < aliases.size(); ++i) {
    const std::string alias_path = index(child(path, "hostAliases"), i);
    validate_ip(aliases[i]["ip"].as_string(), child(alias_path, "ip"), errors);
    const auto& hosts = aliases[i]["hostnames"].items();
    for (std::size_t k = 0; k < hosts.size(); ++k)
      validate_dns_subdomain(hosts[k].as_string(), index(child(alias_path, "hostnames"), k),
                             errors);
  }
  for (std::string_view field : {"priorityClassName", "runtimeClassName"})
    if (!spec[field].as_string().empty())
      validate_dns_subdomain(spec[field].as_string(), child(path, field), errors);
  if (const Json& policy = spec["preemptionPolicy"]; !policy.is_null())
    validate_choice(policy.as_string(), child(path, "preemptionPolicy"),
                    {"PreemptLowerPriority", "Never"}, errors);
}

void validate_user_namespace(const Json& spec, const std::string& path, ErrorList& errors) {
  if (spec["hostUsers"].as_bool(true)) return;
  struct Field {
    std::string_view field, printed;
  };
  for (const auto& [field, printed] : {Field{"hostNetwork", "hostNetwork"},
                                       Field{"hostPID", "HostPID"}, Field{"hostIPC", "HostIPC"}})
    if (spec[field].as_bool())
      errors.forbidden(child(path, printed), "when `pod.Spec.HostUsers` is false");
}

void validate_pod_resource_claims(const Json& claims, const std::string& path, ErrorList& errors) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < claims.items().size(); ++i) {
    const Json& claim = claims.item(i);
    const std::string claim_path = index(path, i);
    std::string_view name = claim["name"].as_string();
    if (name.empty())
      errors.required(child(claim_path, "name"));
    else if (!names.insert(name).second)
      errors.duplicate(child(claim_path, "name"), name);
    else
      validate_dns_label(name, child(claim_path, "name"), errors);
    const bool by_name = !claim["resourceClaimName"].is_null();
    const bool by_template = !claim["resourceClaimTemplateName"].is_null();
    if (by_name && by_template)
      errors.invalid(claim_path, claim,
                     "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be "
                     "specified");
    if (!by_name && !by_template)
      errors.invalid(claim_path, claim,
                     "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
  }
}

}  // namespace

void validate_pod_spec(const Json& spec, const std::string& path, bool is_pod, ErrorList& errors) {
  PodContext pod{spec, {}, std::nullopt, is_pod};
  if (const Json& grace = spec["terminationGracePeriodSeconds"]; grace.is_null())
    errors.required(child(path, "terminationGracePeriodSeconds"));
  else
    pod.grace_seconds = grace.as_int();
  pod.volumes = validate_volumes(spec["volumes"], child(path, "volumes"), errors);
  validate_pod_resource_claims(spec["resourceClaims"], child(path, "resourceClaims"), errors);
  validate_containers(pod, child(path, "containers"), errors);
  validate_init_containers(pod, child(path, "initContainers"), errors);
  validate_ephemeral_containers(pod, child(path, "ephemeralContainers"), errors);
  if (!spec["resources"].is_null())
    validate_resources(spec["resources"], spec["resourceClaims"], child(path, "resources"), errors);
  validate_host_network_ports(pod, path, errors);
  validate_choice(spec["restartPolicy"].as_string(), child(path, "restartPolicy"),
                  {"Always", "OnFailure", "Never"}, errors);
  validate_choice(spec["dnsPolicy"].as_string(), child(path, "dnsPolicy"),
                  {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"}, errors);
  validate_labels(spec["nodeSelector"], child(path, "nodeSelector"), errors);
  validate_pod_security(spec, child(path, "securityContext"), errors);
  validate_affinity(spec["affinity"], child(path, "affinity"), errors);
  validate_dns_config(spec, child(path, "dnsConfig"), errors);
  validate_gates(spec, path, errors);
  validate_spread_constraints(spec["topologySpreadConstraints"],
                              child(path, "topologySpreadConstraints"), errors);
  validate_user_namespace(spec, path, errors);
  validate_names(spec, path, errors);
  if (const Json& os = spec["os"]; !os.is_null())
    validate_choice(os["name"].as_string(), child(child(path, "os"), "name"), {"linux", "windows"},
                    errors);
}

void validate_pod_template(const Json& pod_template, const std::string& path, ErrorList& errors) {
  const Json& metadata = pod_template["metadata"];
  validate_labels(metadata["labels"], child(path, "labels"), errors);
  validate_annotations(metadata["annotations"], child(path, "annotations"), errors);
  validate_pod_spec(pod_template["spec"], child(path, "spec"), false, errors);
  if (!pod_template["spec"]["ephemeralContainers"].empty())
    errors.forbidden(child(path, "spec.ephemeralContainers"),
                     "ephemeral containers not allowed in pod template");
}

}  // namespace skiff::api::rules
