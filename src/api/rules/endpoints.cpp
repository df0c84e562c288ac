#include "api/rules/kind_rules.h"
#include "api/rules/values.h"

#include <skiff/base/strings.h>

#include <set>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

constexpr std::size_t kSliceEndpointsMax = 1000;
constexpr std::size_t kSliceAddressesMax = 100;
constexpr std::size_t kSlicePortsMax = 20000;

void validate_address(const Json& address, const std::string& path, ErrorList& errors) {
  std::string_view ip = address["ip"].as_string();
  validate_ip(ip, child(path, "ip"), errors);
  if (!address["hostname"].as_string().empty())
    validate_dns_label(address["hostname"].as_string(), child(path, "hostname"), errors);
  if (const Json& node = address["nodeName"]; !node.is_null())
    validate_dns_subdomain(node.as_string(), child(path, "nodeName"), errors);
  validate_non_special_ip(ip, child(path, "ip"), errors);
}

void validate_port(const Json& port, bool requires_name, const std::string& path,
                   ErrorList& errors) {
  std::string_view name = port["name"].as_string();
  if (requires_name && name.empty())
    errors.required(child(path, "name"));
  else if (!name.empty())
    validate_dns_label(name, child(path, "name"), errors);
  for (const auto& message : check_port_number(port["port"].as_int()))
    errors.invalid(child(path, "port"), Json(port["port"].as_int()), message);
  validate_choice(port["protocol"].as_string(), child(path, "protocol"), {"SCTP", "TCP", "UDP"},
                  errors);
  if (const Json& protocol = port["appProtocol"]; !protocol.is_null())
    validate_label_name(protocol.as_string(), child(path, "appProtocol"), errors);
}

void validate_slice_address(std::string_view address, std::string_view type,
                            const std::string& path, ErrorList& errors) {
  if (type == "FQDN") return validate_dns_subdomain(address, path, errors);
  const int wanted = type == "IPv6" ? 6 : 4;
  if (ip_version(address) != wanted)
    errors.invalid(path, address, concat("must be an ", type, " address"));
  else
    validate_non_special_ip(address, path, errors);
}

void validate_slice_endpoint(const Json& endpoint, std::string_view type, const std::string& path,
                             ErrorList& errors) {
  const auto& addresses = endpoint["addresses"].items();
  const std::string addresses_path = child(path, "addresses");
  if (addresses.empty()) errors.required(addresses_path, "must contain at least 1 address");
  if (addresses.size() > kSliceAddressesMax)
    errors.too_many(addresses_path, addresses.size(), kSliceAddressesMax);
  for (std::size_t i = 0; i < addresses.size(); ++i)
    validate_slice_address(addresses[i].as_string(), type, index(addresses_path, i), errors);
  if (const Json& node = endpoint["nodeName"]; !node.is_null())
    validate_dns_subdomain(node.as_string(), child(path, "nodeName"), errors);
  validate_labels(endpoint["deprecatedTopology"], child(path, "deprecatedTopology"), errors);
  if (const Json& host = endpoint["hostname"]; !host.is_null())
    validate_dns_label(host.as_string(), child(path, "hostname"), errors);
}

void validate_slice_ports(const Json& ports, const std::string& path, ErrorList& errors) {
  if (ports.size() > kSlicePortsMax) return errors.too_many(path, ports.size(), kSlicePortsMax);
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < ports.items().size(); ++i) {
    const Json& port = ports.item(i);
    const std::string port_path = index(path, i);
    std::string_view name = port["name"].as_string();
    if (!name.empty()) validate_dns_label(name, child(port_path, "name"), errors);
    if (!names.insert(name).second) errors.duplicate(child(port_path, "name"), name);
    validate_choice(port["protocol"].as_string(), child(port_path, "protocol"),
                    {"SCTP", "TCP", "UDP"}, errors);
    if (const Json& number = port["port"]; !number.is_null())
      for (const auto& message : check_port_number(number.as_int()))
        errors.invalid(child(port_path, "port"), number, message);
    if (const Json& protocol = port["appProtocol"]; !protocol.is_null())
      validate_label_name(protocol.as_string(), child(port_path, "appProtocol"), errors);
  }
}

}  // namespace

void validate_endpoints(const Json& object, ErrorList& errors) {
  const auto& subsets = object["subsets"].items();
  for (std::size_t i = 0; i < subsets.size(); ++i) {
    const Json& subset = subsets[i];
    const std::string path = index("subsets", i);
    if (subset["addresses"].empty() && subset["notReadyAddresses"].empty())
      errors.required(path, "must specify `addresses` or `notReadyAddresses`");
    for (std::string_view list : {"addresses", "notReadyAddresses"}) {
      const auto& addresses = subset[list].items();
      for (std::size_t k = 0; k < addresses.size(); ++k)
        validate_address(addresses[k], index(child(path, list), k), errors);
    }
    const auto& ports = subset["ports"].items();
    for (std::size_t k = 0; k < ports.size(); ++k)
      validate_port(ports[k], ports.size() > 1, index(child(path, "ports"), k), errors);
  }
}

void validate_endpoints_update(const Json& object, const Json&, std::string_view,
                               ErrorList& errors) {
  validate_endpoints(object, errors);
}

void validate_endpoint_slice(const Json& object, ErrorList& errors) {
  std::string_view type = object["addressType"].as_string();
  constexpr std::string_view kTypes[] = {"FQDN", "IPv4", "IPv6"};
  if (type.empty())
    errors.required("addressType");
  else if (!contains(kTypes, type))
    errors.not_supported("addressType", type, kTypes);
  const auto& endpoints = object["endpoints"].items();
  if (endpoints.size() > kSliceEndpointsMax) {
    errors.too_many("endpoints", endpoints.size(), kSliceEndpointsMax);
  } else {
    for (std::size_t i = 0; i < endpoints.size(); ++i)
      validate_slice_endpoint(endpoints[i], type, index("endpoints", i), errors);
  }
  validate_slice_ports(object["ports"], "ports", errors);
}

void validate_endpoint_slice_update(const Json& object, const Json& old_object, std::string_view,
                                    ErrorList& errors) {
  validate_endpoint_slice(object, errors);
  validate_immutable(object["addressType"], old_object["addressType"], "addressType", errors);
}

}  // namespace skiff::api::rules
