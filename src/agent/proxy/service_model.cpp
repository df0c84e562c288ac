#include "agent/proxy/service_model.h"

#include <skiff/api/object.h>
#include <skiff/base/strings.h>

namespace skiff::agent {

namespace {

constexpr int kDefaultAffinitySeconds = 10800;

std::uint16_t port_number(const codec::Json& value) {
  std::int64_t number = value.as_int();
  return number > 0 && number <= 65535 ? static_cast<std::uint16_t>(number) : 0;
}

void add_ipv4(std::string_view text, std::vector<std::string>* addresses) {
  if (parse_ipv4(text)) addresses->emplace_back(text);
}

std::vector<ServicePort> read_ports(const codec::Json& list) {
  std::vector<ServicePort> ports;
  for (const auto& item : list.items()) {
    ServicePort port;
    port.name = item["name"].as_string();
    port.protocol = item["protocol"].as_string("TCP");
    port.port = port_number(item["port"]);
    port.node_port = port_number(item["nodePort"]);
    if (port.port != 0) ports.push_back(std::move(port));
  }
  return ports;
}

}  // namespace

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  auto parts = base::split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  std::uint32_t address = 0;
  for (std::string_view part : parts) {
    auto number = base::parse_int(part);
    bool plain = !part.empty() && part.size() <= 3 && part[0] >= '0' && part[0] <= '9';
    if (!plain || !number || *number > 255) return std::nullopt;
    address = address << 8 | static_cast<std::uint32_t>(*number);
  }
  return address;
}

bool is_in_cidr(std::uint32_t address, std::string_view cidr) {
  std::size_t slash = cidr.find('/');
  if (slash == std::string_view::npos) return false;
  auto network = parse_ipv4(cidr.substr(0, slash));
  auto bits = base::parse_int(cidr.substr(slash + 1));
  if (!network || !bits || *bits < 0 || *bits > 32) return false;
  if (*bits == 0) return true;
  return (address ^ *network) >> (32 - *bits) == 0;
}

std::optional<ServiceModel> read_service(const codec::Json& service) {
  const codec::Json& spec = service["spec"];
  ServiceModel model;
  model.namespace_name = api::namespace_of(service);
  model.name = api::name_of(service);
  if (model.name.empty()) return std::nullopt;
  if (spec["type"].as_string() == "ExternalName") {
    model.external_name = base::to_lower(spec["externalName"].as_string());
    while (base::ends_with(model.external_name, ".")) model.external_name.pop_back();
    return model;
  }
  std::string_view cluster_ip = spec["clusterIP"].as_string();
  model.headless = cluster_ip == "None";
  if (parse_ipv4(cluster_ip)) model.cluster_ip = cluster_ip;
  model.proxied_elsewhere =
      !api::label(service, "service.kubernetes.io/service-proxy-name").empty();
  model.internal_local = spec["internalTrafficPolicy"].as_string() == "Local";
  model.external_local = spec["externalTrafficPolicy"].as_string() == "Local";
  if (spec["sessionAffinity"].as_string() == "ClientIP")
    model.affinity_seconds =
        static_cast<int>(spec.at({"sessionAffinityConfig", "clientIP", "timeoutSeconds"})
                             .as_int(kDefaultAffinitySeconds));
  for (const auto& ip : spec["externalIPs"].items()) add_ipv4(ip.as_string(), &model.external_ips);
  for (const auto& ingress : service.at({"status", "loadBalancer", "ingress"}).items())
    if (ingress["ipMode"].as_string() != "Proxy")
      add_ipv4(ingress["ip"].as_string(), &model.external_ips);
  model.ports = read_ports(spec["ports"]);
  return model;
}

std::optional<SliceModel> read_slice(const codec::Json& slice) {
  if (slice["addressType"].as_string() != "IPv4") return std::nullopt;
  std::string_view service = api::label(slice, "kubernetes.io/service-name");
  if (service.empty()) return std::nullopt;
  SliceModel model;
  model.service_key = base::concat(api::namespace_of(slice), "/", service);
  model.ports = read_ports(slice["ports"]);
  for (const auto& item : slice["endpoints"].items()) {
    EndpointModel endpoint;
    // The first address stands for all: they are interchangeable, and there is never more than one.
    if (item["addresses"].empty()) continue;
    endpoint.address = item["addresses"].item(0).as_string();
    if (!parse_ipv4(endpoint.address)) continue;
    endpoint.hostname = base::to_lower(item["hostname"].as_string());
    endpoint.node_name = item["nodeName"].as_string();
    const codec::Json& conditions = item["conditions"];
    endpoint.ready = conditions["ready"].as_bool(true);
    endpoint.serving = conditions["serving"].as_bool(endpoint.ready);
    endpoint.terminating = conditions["terminating"].as_bool(false);
    model.endpoints.push_back(std::move(endpoint));
  }
  return model;
}

}  // namespace skiff::agent
