#include "api/rules/kind_rules.h"
#include "api/rules/values.h"

#include <skiff/base/strings.h>

#include <set>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

constexpr std::int64_t kAffinitySecondsMax = 86400;

std::string_view type_of(const Json& service) { return service["spec"]["type"].as_string(); }

std::string_view first_cluster_ip(const Json& service) {
  const Json& list = service["spec"]["clusterIPs"];
  return list.empty() ? service["spec"]["clusterIP"].as_string() : list.item(0).as_string();
}
bool is_headless(const Json& service) { return first_cluster_ip(service) == "None"; }

void validate_by_type(const Json& service, ErrorList& errors) {
  const Json& spec = service["spec"];
  std::string_view type = type_of(service);
  if (spec["ports"].empty() && !is_headless(service) && type != "ExternalName")
    errors.required("spec.ports");
  if ((type == "LoadBalancer" || type == "NodePort") && is_headless(service))
    errors.invalid("spec.clusterIPs[0]", "None",
                   concat("may not be set to 'None' for ", type, " services"));
  if (type != "ExternalName") return;
  for (std::string_view field : {"clusterIPs", "ipFamilies", "ipFamilyPolicy"})
    if (!spec[field].empty())
      errors.forbidden(child("spec", field), "may not be set for ExternalName services");
  std::string_view name = spec["externalName"].as_string();
  if (base::ends_with(name, ".")) name.remove_suffix(1);
  if (name.empty())
    errors.required("spec.externalName");
  else
    validate_dns_subdomain(name, "spec.externalName", errors);
}

void validate_port(const Json& port, bool requires_name, std::set<std::string_view>& names,
                   const std::string& path, ErrorList& errors) {
  std::string_view name = port["name"].as_string();
  if (requires_name && name.empty()) {
    errors.required(child(path, "name"));
  } else if (!name.empty()) {
    validate_dns_label(name, child(path, "name"), errors);
    if (!names.insert(name).second) errors.duplicate(child(path, "name"), name);
  }
  for (const auto& message : check_port_number(port["port"].as_int()))
    errors.invalid(child(path, "port"), Json(port["port"].as_int()), message);
  validate_choice(port["protocol"].as_string(), child(path, "protocol"), {"SCTP", "TCP", "UDP"},
                  errors);
  validate_port_or_name(port["targetPort"], child(path, "targetPort"), errors);
  if (const Json& protocol = port["appProtocol"]; !protocol.is_null())
    validate_label_name(protocol.as_string(), child(path, "appProtocol"), errors);
}

// The port as upstream's internal type prints in a duplicate.
std::string port_identity(const Json& port) {
  return concat("{\"Name\":\"\",\"Protocol\":", base::quote(port["protocol"].as_string()),
                ",\"AppProtocol\":null,\"Port\":", port["port"].as_int(),
                ",\"TargetPort\":0,\"NodePort\":0}");
}

void validate_ports(const Json& service, ErrorList& errors) {
  const auto& ports = service["spec"]["ports"].items();
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < ports.size(); ++i)
    validate_port(ports[i], ports.size() > 1, names, index("spec.ports", i), errors);
}

void validate_port_conflicts(const Json& service, ErrorList& errors) {
  const auto& ports = service["spec"]["ports"].items();
  std::set<std::pair<std::string_view, std::int64_t>> node_ports, numbers;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::int64_t node_port = ports[i]["nodePort"].as_int();
    if (node_port != 0 && type_of(service) == "ClusterIP")
      errors.forbidden(child(index("spec.ports", i), "nodePort"),
                       "may not be used when `type` is 'ClusterIP'");
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::int64_t node_port = ports[i]["nodePort"].as_int();
    if (node_port != 0 && !node_ports.emplace(ports[i]["protocol"].as_string(), node_port).second)
      errors.duplicate(child(index("spec.ports", i), "nodePort"), Json(node_port));
  }
  for (std::size_t i = 0; i < ports.size(); ++i)
    if (!numbers.emplace(ports[i]["protocol"].as_string(), ports[i]["port"].as_int()).second) {
      auto identity = codec::parse_json(port_identity(ports[i]));
      errors.duplicate(index("spec.ports", i), identity.is_ok() ? *identity : ports[i]);
    }
}

void validate_affinity_config(const Json& spec, ErrorList& errors) {
  std::string_view affinity = spec["sessionAffinity"].as_string();
  validate_choice(affinity, "spec.sessionAffinity", {"ClientIP", "None"}, errors);
  const std::string path = "spec.sessionAffinityConfig";
  const Json& config = spec["sessionAffinityConfig"];
  if (affinity == "None" && !config.is_null())
    errors.forbidden(path, "must not be set when session affinity is None");
  if (affinity != "ClientIP") return;
  constexpr std::string_view kWhen = "when session affinity type is ClientIP";
  if (config.is_null()) return errors.required(path, kWhen);
  if (config["clientIP"].is_null()) return errors.required(child(path, "clientIP"), kWhen);
  const Json& timeout = config["clientIP"]["timeoutSeconds"];
  const std::string timeout_path = child(path, "clientIP.timeoutSeconds");
  if (timeout.is_null())
    errors.required(timeout_path, kWhen);
  else if (timeout.as_int() <= 0 || timeout.as_int() > kAffinitySecondsMax)
    errors.invalid(timeout_path, timeout,
                   concat("must be greater than 0 and less than ", kAffinitySecondsMax));
}

void validate_families(const Json& spec, ErrorList& errors) {
  const auto& families = spec["ipFamilies"].items();
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < families.size(); ++i) {
    std::string_view family = families[i].as_string();
    if (!contains({"IPv4", "IPv6"}, family))
      errors.not_supported(index("spec.ipFamilies", i), family, {"IPv4", "IPv6"});
    if (!seen.insert(family).second) errors.duplicate(index("spec.ipFamilies", i), family);
  }
  if (const Json& policy = spec["ipFamilyPolicy"];
      !policy.is_null() &&
      !contains({"PreferDualStack", "RequireDualStack", "SingleStack"}, policy.as_string()))
    errors.not_supported("spec.ipFamilyPolicy", policy.as_string(),
                         {"PreferDualStack", "RequireDualStack", "SingleStack"});
}

void validate_cluster_ips(const Json& service, ErrorList& errors) {
  if (type_of(service) == "ExternalName") return;
  const Json& spec = service["spec"];
  const Json& list = spec["clusterIPs"];
  std::string_view single = spec["clusterIP"].as_string();
  if (!list.empty() && single.empty())
    errors.invalid("spec.clusterIPs", list, "must be empty when `clusterIP` is not specified");
  else if (!list.empty() && list.item(0).as_string() != single)
    errors.invalid("spec.clusterIPs", list, "first value must match `clusterIP`");
  validate_families(spec, errors);
  const std::size_t before = errors.size();
  // A single address that nobody copied into the list yet is checked in its stead.
  if (list.empty() && !single.empty() && single != "None")
    validate_ip(single, "spec.clusterIPs[0]", errors);
  std::set<int> versions;
  for (std::size_t i = 0; i < list.items().size(); ++i) {
    std::string_view ip = list.item(i).as_string();
    if (i == 0 && ip == "None") {
      if (list.size() > 1)
        errors.invalid("spec.clusterIPs", list, "'None' must be the first and only value");
      continue;
    }
    validate_ip(ip, index("spec.clusterIPs", i), errors);
    versions.insert(ip_version(ip).value_or(0));
  }
  if (list.size() > 2) errors.invalid("spec.clusterIPs", list, "may only hold up to 2 values");
  if (errors.size() != before) return;
  if (list.size() > 1 && versions.size() != 2)
    errors.invalid("spec.clusterIPs", list, "may specify no more than one IP for each IP family");
  const auto& families = spec["ipFamilies"].items();
  for (std::size_t i = 0; i < list.size() && i < families.size() && !is_headless(service); ++i) {
    const int version = ip_version(list.item(i).as_string()).value_or(4);
    std::string_view family = families[i].as_string();
    if ((family == "IPv4" && version == 6) || (family == "IPv6" && version == 4))
      errors.invalid(
          index("spec.clusterIPs", i), list.item(i),
          concat("expected an ", family, " value as indicated by `ipFamilies[", i, "]`"));
  }
}

void validate_external(const Json& service, ErrorList& errors) {
  const Json& spec = service["spec"];
  const auto& ips = spec["externalIPs"].items();
  for (std::size_t i = 0; i < ips.size(); ++i) {
    const std::size_t before = errors.size();
    validate_ip(ips[i].as_string(), index("spec.externalIPs", i), errors);
    if (errors.size() == before)
      validate_non_special_ip(ips[i].as_string(), index("spec.externalIPs", i), errors);
  }
  validate_choice(type_of(service), "spec.type",
                  {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"}, errors);
}

void validate_traffic(const Json& service, ErrorList& errors) {
  const Json& spec = service["spec"];
  std::string_view type = type_of(service);
  const bool balanced = type == "LoadBalancer";
  if (!spec["loadBalancerSourceRanges"].empty() && !balanced)
    errors.forbidden("spec.LoadBalancerSourceRanges",
                     "may only be used when `type` is 'LoadBalancer'");
  if (!spec["allocateLoadBalancerNodePorts"].is_null() && !balanced)
    errors.forbidden("spec.allocateLoadBalancerNodePorts",
                     "may only be used when `type` is 'LoadBalancer'");
  if (!spec["loadBalancerClass"].is_null() && !balanced)
    errors.forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'");
  const bool external =
      balanced || type == "NodePort" || (type == "ClusterIP" && !spec["externalIPs"].empty());
  std::string_view policy = spec["externalTrafficPolicy"].as_string();
  if (!external && !policy.empty())
    errors.invalid("spec.externalTrafficPolicy", policy,
                   "may only be set for externally-accessible services");
  if (external) validate_choice(policy, "spec.externalTrafficPolicy", {"Cluster", "Local"}, errors);
  const std::int64_t health_port = spec["healthCheckNodePort"].as_int();
  if (health_port != 0 && !(balanced && policy == "Local"))
    errors.invalid("spec.healthCheckNodePort", Json(health_port),
                   "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is "
                   "'Local'");
  else if (health_port != 0)
    for (const auto& message : check_port_number(health_port))
      errors.invalid("spec.healthCheckNodePort", Json(health_port), message);
  if (const Json& internal = spec["internalTrafficPolicy"];
      !internal.is_null() && !contains({"Cluster", "Local"}, internal.as_string()))
    errors.not_supported("spec.internalTrafficPolicy", internal.as_string(), {"Cluster", "Local"});
  constexpr std::string_view kDistributions[] = {"PreferClose", "PreferSameNode", "PreferSameZone"};
  if (const Json& distribution = spec["trafficDistribution"];
      !distribution.is_null() && !contains(kDistributions, distribution.as_string()))
    errors.not_supported("spec.trafficDistribution", distribution.as_string(), kDistributions);
}

// An address, once given, stays; what the new object leaves out is filled in from the old one.
void validate_address_update(const Json& service, const Json& old_service, ErrorList& errors) {
  if (type_of(service) == "ExternalName" || type_of(old_service) == "ExternalName") return;
  const Json &spec = service["spec"], &old_spec = old_service["spec"];
  std::string_view address = first_cluster_ip(service), old_address = first_cluster_ip(old_service);
  if (!address.empty() && !old_address.empty() && address != old_address) {
    Json list = spec["clusterIPs"];
    if (list.empty()) list = Json::array({Json(address)});
    errors.invalid("spec.clusterIPs[0]", list, "may not change once set");
  }
  if (is_headless(service) || is_headless(old_service)) return;
  const Json &families = spec["ipFamilies"], &old_families = old_spec["ipFamilies"];
  if (!families.empty() && !old_families.empty() && families.item(0) != old_families.item(0))
    errors.invalid("spec.ipFamilies[0]", families, "may not change once set");
}

}  // namespace

void validate_service(const Json& service, ErrorList& errors) {
  validate_by_type(service, errors);
  validate_ports(service, errors);
  validate_labels(service["spec"]["selector"], "spec.selector", errors);
  validate_affinity_config(service["spec"], errors);
  validate_cluster_ips(service, errors);
  validate_external(service, errors);
  validate_port_conflicts(service, errors);
  validate_traffic(service, errors);
}

void validate_service_update(const Json& service, const Json& old_service,
                             std::string_view subresource, ErrorList& errors) {
  if (subresource == "status") return;
  validate_address_update(service, old_service, errors);
  validate_service(service, errors);
}

}  // namespace skiff::api::rules
