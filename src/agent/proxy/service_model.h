// Services and EndpointSlices as far as rules and DNS need them.
#pragma once

#include <skiff/codec/json.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::agent {

struct ServicePort {
  std::string name;
  std::string protocol;  // TCP, UDP, SCTP
  std::uint16_t port = 0;
  std::uint16_t node_port = 0;
};

struct ServiceModel {
  std::string namespace_name;
  std::string name;
  std::string external_name;  // type ExternalName only
  std::string cluster_ip;     // IPv4; empty when headless or without one
  bool headless = false;
  bool proxied_elsewhere = false;  // label service.kubernetes.io/service-proxy-name
  bool internal_local = false;     // internalTrafficPolicy Local
  bool external_local = false;     // externalTrafficPolicy Local
  int affinity_seconds = 0;
  std::vector<std::string> external_ips;  // and those of a load balancer
  std::vector<ServicePort> ports;

  std::string key() const { return namespace_name + "/" + name; }
};

struct EndpointModel {
  std::string address;  // IPv4
  std::string hostname;
  std::string node_name;
  bool ready = true;
  bool serving = true;
  bool terminating = false;
};

struct SliceModel {
  std::string service_key;  // "namespace/name"
  std::vector<ServicePort> ports;
  std::vector<EndpointModel> endpoints;
};

using SliceModels = std::map<std::string, SliceModel, std::less<>>;  // by the slice's key

// nullopt for a Service that nothing can be done with (no name).
std::optional<ServiceModel> read_service(const codec::Json& service);
// nullopt when it belongs to no Service or has no IPv4 addresses.
std::optional<SliceModel> read_slice(const codec::Json& slice);

// The address as a number; nullopt for what is no dotted IPv4 address.
std::optional<std::uint32_t> parse_ipv4(std::string_view text);
// Whether the address is inside "a.b.c.d/n". False for a bad range.
bool is_in_cidr(std::uint32_t address, std::string_view cidr);

}  // namespace skiff::agent
