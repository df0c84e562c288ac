#include "app/addresses.h"

#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>

namespace skiff::app {

base::Result<std::uint32_t> parse_ipv4(std::string_view text) {
  in_addr address{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1)
    return base::invalid_argument(base::concat(base::quote(text), " is not an IPv4 address"));
  return ntohl(address.s_addr);
}

std::string format_ipv4(std::uint32_t address) {
  in_addr raw{htonl(address)};
  char buffer[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &raw, buffer, sizeof buffer);
}

base::Result<Network> parse_network(std::string_view text) {
  auto parts = base::split(text, '/');
  auto bits = parts.size() == 2 ? base::parse_int(parts[1]) : std::nullopt;
  if (!bits || *bits < 1 || *bits > 32)
    return base::invalid_argument(
        base::concat(base::quote(text), " is not an IPv4 network such as 10.42.0.0/16"));
  SKIFF_ASSIGN_OR_RETURN(std::uint32_t address, parse_ipv4(parts[0]));
  Network network{0, static_cast<int>(*bits)};
  network.address = address & ~((1ull << (32 - *bits)) - 1);
  return network;
}

namespace {

struct InterfaceAddress {
  std::string interface_name;
  std::uint32_t address = 0;
  bool loopback = false;
};

base::Result<std::vector<InterfaceAddress>> interface_addresses() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return base::errno_status(errno, "read the host's addresses");
  std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  std::vector<InterfaceAddress> found;
  for (ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    sockaddr_in address{};
    std::memcpy(&address, entry->ifa_addr, sizeof address);
    found.push_back(
        {entry->ifa_name, ntohl(address.sin_addr.s_addr), (entry->ifa_flags & IFF_LOOPBACK) != 0});
  }
  return found;
}

// Asks the kernel for the source address towards a public address; nothing is sent.
std::optional<std::uint32_t> default_route_source() {
  base::UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in far{};
  far.sin_family = AF_INET;
  far.sin_port = htons(9);
  far.sin_addr.s_addr = htonl(0xc0000201);  // 192.0.2.1, RFC 5737: routed nowhere
  if (!fd || connect(fd.get(), reinterpret_cast<sockaddr*>(&far), sizeof far) != 0)
    return std::nullopt;
  sockaddr_in local{};
  socklen_t size = sizeof local;
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&local), &size) != 0) return std::nullopt;
  return ntohl(local.sin_addr.s_addr);
}

base::Result<std::string> find_wanted(std::string_view wanted,
                                      const std::vector<InterfaceAddress>& addresses) {
  if (auto exact = parse_ipv4(wanted)) {
    for (const auto& a : addresses)
      if (a.address == *exact) return std::string(wanted);
    return base::invalid_argument(base::concat("no interface of this host has ", wanted));
  }
  if (auto network = parse_network(wanted)) {
    for (const auto& a : addresses)
      if (network->contains(a.address)) return format_ipv4(a.address);
    return base::invalid_argument(base::concat("no address of this host is in ", wanted));
  }
  for (const auto& a : addresses)
    if (a.interface_name == wanted) return format_ipv4(a.address);
  return base::invalid_argument(base::concat(
      base::quote(wanted), " is neither an IPv4 address, a network nor an interface with one"));
}

}  // namespace

base::Result<std::string> find_node_ip(std::string_view wanted) {
  SKIFF_ASSIGN_OR_RETURN(auto addresses, interface_addresses());
  if (!wanted.empty()) return find_wanted(wanted, addresses);
  if (auto source = default_route_source()) return format_ipv4(*source);
  for (const auto& a : addresses)
    if (!a.loopback) return format_ipv4(a.address);
  return std::string(kNoNodeAddress);
}

}  // namespace skiff::app
