// Service addresses: each is handed out once until it is released.
#pragma once

#include <skiff/base/random.h>
#include <skiff/base/result.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace skiff::registry {

std::string format_ipv4(std::uint32_t address);
// nullopt for anything but four decimal octets.
std::optional<std::uint32_t> parse_ipv4(std::string_view text);

// Network address and size of a service CIDR. Errors: invalid_argument.
base::Result<std::pair<std::uint32_t, std::uint32_t>> parse_ipv4_network(std::string_view cidr);

// IPv4 addresses of a CIDR without its first (network) and last (broadcast). Thread-safe.
class IpAllocator {
 public:
  static base::Result<std::unique_ptr<IpAllocator>> make(std::string_view cidr,
                                                         base::Random& random);
  IpAllocator(std::uint32_t network, std::uint32_t size, std::string cidr, base::Random& random);

  // Errors in upstream's words: out of the range, or allocated already.
  base::Status reserve(std::string_view address);
  // From the upper part of the range first, so that hand-picked addresses at its start stay free.
  // Errors: unavailable when the range is full.
  base::Result<std::string> reserve_next();
  void release(std::string_view address);
  std::size_t used() const;

 private:
  bool in_range(std::uint32_t address) const;

  const std::uint32_t network_;
  const std::uint32_t size_;
  const std::string cidr_;
  base::Random& random_;
  mutable std::mutex mutex_;
  std::set<std::uint32_t> used_;  // under mutex_
};

// Ports of node port services; same rules.
class PortAllocator {
 public:
  PortAllocator(std::uint16_t first, std::uint16_t last, base::Random& random);

  base::Status reserve(std::int64_t port);
  base::Result<std::uint16_t> reserve_next();
  void release(std::int64_t port);
  std::size_t used() const;

 private:
  const std::uint16_t first_, last_;
  base::Random& random_;
  mutable std::mutex mutex_;
  std::set<std::uint16_t> used_;  // under mutex_
};

}  // namespace skiff::registry
