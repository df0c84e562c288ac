// Names, types and values of the table as the kernel has them: addresses and ports in network
// order.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

#include <skiff/net/packet_rules.h>

#include "net/nft_batch.h"

namespace skiff::net {

inline constexpr const char* kServicesChain = "services";
inline constexpr const char* kPostroutingChain = "postrouting";
inline constexpr const char* kServicePortsMap = "service-ports";
inline constexpr const char* kNodePortsMap = "node-ports";
inline constexpr const char* kHairpinSet = "hairpin";
inline constexpr const char* kEmptyPortsSet = "empty-ports";
inline constexpr const char* kEmptyNodePortsSet = "empty-node-ports";

inline constexpr std::int32_t kDestinationNatPriority = -100, kSourceNatPriority = 100;
inline constexpr std::uint32_t kMasqueradeMark = 0x4000;
inline constexpr std::uint32_t kLocalKind = 2;  // RTN_LOCAL
inline constexpr std::uint32_t kPortKeyType =
    concat_types(concat_types(kTypeIpv4, kTypeProtocol), kTypePort);
inline constexpr std::uint32_t kPortKeyBytes = 12, kNodePortKeyBytes = 8, kEndpointBytes = 8;

template <class T>
std::string raw(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}
inline std::string address_bytes(const std::string& text) {
  in_addr address{};
  inet_pton(AF_INET, text.c_str(), &address);
  return raw(address.s_addr);
}
// Shorter values stand at the beginning of their 32-bit register.
inline std::string port_bytes(std::uint16_t port) {
  return raw(static_cast<std::uint16_t>(htons(port))) + std::string(2, '\0');
}
inline std::string protocol_bytes(Protocol protocol) {
  std::uint8_t number = protocol == Protocol::udp ? IPPROTO_UDP : IPPROTO_TCP;
  return raw(number) + std::string(3, '\0');
}
inline std::string port_key(const std::string& address, Protocol protocol, std::uint16_t port) {
  return address_bytes(address) + protocol_bytes(protocol) + port_bytes(port);
}
inline std::string node_port_key(Protocol protocol, std::uint16_t port) {
  return protocol_bytes(protocol) + port_bytes(port);
}
inline std::string endpoint_bytes(const RuleEndpoint& endpoint) {
  return address_bytes(endpoint.address) + port_bytes(endpoint.port);
}

}  // namespace skiff::net
