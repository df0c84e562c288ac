// Addresses of one node's pods, remembered on disk.
#pragma once

#include <skiff/base/result.h>
#include <skiff/net/pod_network.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace skiff::net {

struct Ipv4Network {
  std::uint32_t address = 0;  // host byte order
  int prefix_bits = 0;
};
base::Result<Ipv4Network> parse_ipv4_network(std::string_view text);
std::string format_ipv4(std::uint32_t address);

// The next free address after `last`, so that one that was just freed is reused as late as
// possible. The network's first (network itself), second (reserved for the node) and last address
// are never given. 0 when all are taken. Pure.
std::uint32_t plan_next_address(const Ipv4Network& network, std::uint32_t last,
                                const std::map<std::uint32_t, std::string>& taken);

// Pod uid to address, in `<data-dir>/network/allocations`, one "<uid> <address> <interface>" line
// each after a "last <address>" line. Written whole (temporary file, fsync, rename) before an
// address is used. Thread-compatible.
class AddressPool {
 public:
  static base::Result<AddressPool> open(std::string folder, Ipv4Network network);

  // The pod's address, a new one when it has none. Errors: unavailable when all are taken.
  base::Result<PodAddress> acquire(const std::string& pod_uid, std::string interface_name);
  base::Status release(const std::string& pod_uid);
  const std::map<std::string, PodAddress>& allocations() const { return by_uid_; }

 private:
  base::Status save() const;

  std::string path_;
  Ipv4Network network_;
  std::uint32_t last_ = 0;
  std::map<std::string, PodAddress> by_uid_;
  std::map<std::uint32_t, std::string> by_address_;
};

}  // namespace skiff::net
