#include "api/rules/defaults_rules.h"

namespace skiff::api {

namespace {

bool is_unset(const codec::Json& object, std::string_view key) {
  const codec::Json& value = object[key];
  return value.is_null() || (value.is_string() && value.empty());
}

void default_session_affinity(codec::Json& spec) {
  const std::string_view affinity = spec.at({"sessionAffinity"}).as_string();
  if (affinity == "None") spec.erase("sessionAffinityConfig");
  if (affinity != "ClientIP") return;
  if (spec.at({"sessionAffinityConfig", "clientIP"}).is_null())
    spec.set("sessionAffinityConfig", codec::Json::object({{"clientIP", codec::Json::object()}}));
}

void default_service_spec(codec::Json& spec) {
  default_session_affinity(spec);
  const std::string type(spec.at({"type"}).as_string());
  const bool balanced = type == "LoadBalancer";
  const bool external =
      balanced || type == "NodePort" || (type == "ClusterIP" && !spec.at({"externalIPs"}).empty());
  if (external && is_unset(spec, "externalTrafficPolicy"))
    spec.set("externalTrafficPolicy", "Cluster");
  if (type != "ExternalName" && is_unset(spec, "internalTrafficPolicy"))
    spec.set("internalTrafficPolicy", "Cluster");
  if (balanced && !spec.contains("allocateLoadBalancerNodePorts"))
    spec.set("allocateLoadBalancerNodePorts", true);
}

void default_service_port(codec::Json& port) {
  const codec::Json& target = port.at({"targetPort"});
  const bool unset = target.is_null() || (target.is_string() && target.empty()) ||
                     (target.is_number() && target.as_int() == 0);
  if (unset) port.set("targetPort", port.at({"port"}).as_int());
}

void default_service(codec::Json& service) {
  if (service.at({"spec", "type"}).as_string() != "LoadBalancer") return;
  codec::Json* status = service.find("status");
  codec::Json* balancer = status == nullptr ? nullptr : status->find("loadBalancer");
  codec::Json* ingress = balancer == nullptr ? nullptr : balancer->find("ingress");
  if (ingress == nullptr || !ingress->is_array()) return;
  for (codec::Json& entry : ingress->mutable_items())
    if (entry.is_object() && !is_unset(entry, "ip") && is_unset(entry, "ipMode"))
      entry.set("ipMode", "VIP");
}

constexpr DefaultRule kRules[] = {
    {"io.k8s.api.core.v1.Service", default_service},
    {"io.k8s.api.core.v1.ServicePort", default_service_port},
    {"io.k8s.api.core.v1.ServiceSpec", default_service_spec},
};

}  // namespace

std::span<const DefaultRule> service_default_rules() { return kRules; }

}  // namespace skiff::api
