#include "registry/allocators/ip_allocator.h"

#include <skiff/base/strings.h>

#include "registry/limits.h"

namespace skiff::registry {

std::string format_ipv4(std::uint32_t address) {
  return base::concat(address >> 24, ".", (address >> 16) & 255, ".", (address >> 8) & 255, ".",
                      address & 255);
}

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  auto parts = base::split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  std::uint32_t address = 0;
  for (auto part : parts) {
    if (part.empty() || part.size() > 3) return std::nullopt;
    if (part.size() > 1 && part[0] == '0') return std::nullopt;
    auto octet = base::parse_int(part);
    if (!octet || *octet < 0 || *octet > 255 || part[0] == '+' || part[0] == '-') {
      return std::nullopt;
    }
    address = (address << 8) | static_cast<std::uint32_t>(*octet);
  }
  return address;
}

base::Result<std::pair<std::uint32_t, std::uint32_t>> parse_ipv4_network(std::string_view cidr) {
  auto slash = cidr.find('/');
  auto bits = slash == cidr.npos ? std::nullopt : base::parse_int(cidr.substr(slash + 1));
  auto address = parse_ipv4(cidr.substr(0, slash));
  if (!address || !bits || *bits < 12 || *bits > 30) {
    return base::invalid_argument(
        base::concat("service CIDR ", cidr, ": must be an IPv4 network of /12 to /30"));
  }
  const std::uint32_t size = std::uint32_t{1} << (32 - *bits);
  SKIFF_ASSERT(size <= kServiceAddressesMax);
  return std::pair<std::uint32_t, std::uint32_t>(*address & ~(size - 1), size);
}

base::Result<std::unique_ptr<IpAllocator>> IpAllocator::make(std::string_view cidr,
                                                             base::Random& random) {
  SKIFF_ASSIGN_OR_RETURN(auto network, parse_ipv4_network(cidr));
  return std::make_unique<IpAllocator>(network.first, network.second, std::string(cidr), random);
}

IpAllocator::IpAllocator(std::uint32_t network, std::uint32_t size, std::string cidr,
                         base::Random& random)
    : network_(network), size_(size), cidr_(std::move(cidr)), random_(random) {}

bool IpAllocator::in_range(std::uint32_t address) const {
  return address > network_ && address < network_ + size_ - 1;
}

base::Status IpAllocator::reserve(std::string_view address) {
  auto parsed = parse_ipv4(address);
  if (!parsed || !in_range(*parsed)) {
    return base::invalid_argument(base::concat("failed to allocate IP ", address,
                                               ": the provided network does not match the current "
                                               "range: the provided IP (",
                                               address,
                                               ") is not in the valid range. The range of valid "
                                               "IPs is ",
                                               cidr_));
  }
  std::lock_guard lock(mutex_);
  if (!used_.insert(*parsed).second) {
    return base::already_exists(
        base::concat("failed to allocate IP ", address, ": provided IP is already allocated"));
  }
  return {};
}

base::Result<std::string> IpAllocator::reserve_next() {
  // The lower part (at most 256, at least 16 where the range is large enough) is for people.
  const std::uint32_t usable = size_ - 2;
  std::uint32_t lower = std::min<std::uint32_t>(std::max<std::uint32_t>(16, size_ / 16), 256);
  if (lower >= usable) lower = 0;
  std::lock_guard lock(mutex_);
  auto try_take = [&](std::uint32_t offset) { return used_.insert(network_ + 1 + offset).second; };
  for (int i = 0; i < kAllocatorProbesMax; ++i) {
    auto offset = lower + static_cast<std::uint32_t>(random_.below(usable - lower));
    if (try_take(offset)) return format_ipv4(network_ + 1 + offset);
  }
  for (std::uint32_t i = 0; i < usable; ++i) {
    std::uint32_t offset = (lower + i) % usable;
    if (try_take(offset)) return format_ipv4(network_ + 1 + offset);
  }
  return base::unavailable("failed to allocate a serviceIP: range is full");
}

void IpAllocator::release(std::string_view address) {
  auto parsed = parse_ipv4(address);
  if (!parsed) return;
  std::lock_guard lock(mutex_);
  used_.erase(*parsed);
}

std::size_t IpAllocator::used() const {
  std::lock_guard lock(mutex_);
  return used_.size();
}

PortAllocator::PortAllocator(std::uint16_t first, std::uint16_t last, base::Random& random)
    : first_(first), last_(last), random_(random) {
  SKIFF_ASSERT(first_ > 0 && first_ <= last_);
}

base::Status PortAllocator::reserve(std::int64_t port) {
  if (port < first_ || port > last_) {
    return base::invalid_argument(
        base::concat("provided port is not in the valid range. The range of valid ports is ",
                     first_, "-", last_));
  }
  std::lock_guard lock(mutex_);
  if (!used_.insert(static_cast<std::uint16_t>(port)).second) {
    return base::already_exists("provided port is already allocated");
  }
  return {};
}

base::Result<std::uint16_t> PortAllocator::reserve_next() {
  const std::uint32_t count = static_cast<std::uint32_t>(last_ - first_) + 1;
  std::lock_guard lock(mutex_);
  const auto start = static_cast<std::uint32_t>(random_.below(count));
  for (std::uint32_t i = 0; i < count; ++i) {
    auto port = static_cast<std::uint16_t>(first_ + (start + i) % count);
    if (used_.insert(port).second) return port;
  }
  return base::unavailable("range is full");
}

void PortAllocator::release(std::int64_t port) {
  std::lock_guard lock(mutex_);
  if (port > 0 && port <= 65535) used_.erase(static_cast<std::uint16_t>(port));
}

std::size_t PortAllocator::used() const {
  std::lock_guard lock(mutex_);
  return used_.size();
}

}  // namespace skiff::registry
