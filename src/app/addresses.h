// IPv4 addresses and networks of the configuration.
#pragma once

#include <skiff/base/result.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace skiff::app {

struct Network {
  std::uint32_t address = 0;  // host byte order, host bits cleared
  int prefix_bits = 0;
  bool contains(std::uint32_t other) const {
    return prefix_bits == 0 || (other ^ address) >> (32 - prefix_bits) == 0;
  }
  bool overlaps(const Network& other) const {
    return contains(other.address) || other.contains(address);
  }
};

// Dotted decimal, host byte order.
base::Result<std::uint32_t> parse_ipv4(std::string_view text);
std::string format_ipv4(std::uint32_t address);
base::Result<Network> parse_network(std::string_view text);

// The node's address: `wanted` is an address, an interface name or a CIDR; empty means the source
// address of the default route, else the first address that is not loopback, else kNoNodeAddress.
inline constexpr std::string_view kNoNodeAddress = "127.0.0.1";
base::Result<std::string> find_node_ip(std::string_view wanted);

}  // namespace skiff::app
