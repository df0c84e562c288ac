#include "controllers/nodes/node_cidr.h"

#include <skiff/base/strings.h>

#include "controllers/limits.h"

namespace skiff::controllers {

namespace {

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  auto parts = base::split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  std::uint32_t address = 0;
  for (std::string_view part : parts) {
    auto value = base::parse_int(part);
    if (!value || *value < 0 || *value > 255) return std::nullopt;
    address = address << 8 | static_cast<std::uint32_t>(*value);
  }
  return address;
}

std::string block_text(std::uint32_t address) {
  return base::concat(address >> 24, '.', address >> 16 & 255, '.', address >> 8 & 255, '.',
                      address & 255, '/', kNodeCidrBits);
}

}  // namespace

base::Result<NodeCidrRange> NodeCidrRange::parse(std::string_view cidr) {
  std::size_t slash = cidr.find('/');
  if (slash == std::string_view::npos)
    return base::invalid_argument(base::concat("cluster CIDR ", base::quote(cidr), ": no prefix"));
  auto address = parse_ipv4(cidr.substr(0, slash));
  auto bits = base::parse_int(cidr.substr(slash + 1));
  if (!address || !bits || *bits < 1 || *bits > kNodeCidrBits)
    return base::invalid_argument(base::concat("cluster CIDR ", base::quote(cidr),
                                               ": want an IPv4 network of /1 to /", kNodeCidrBits));
  NodeCidrRange range;
  range.base_ = *address & ~std::uint32_t{0} << (32 - *bits);
  range.blocks_ = std::uint32_t{1} << (kNodeCidrBits - *bits);
  return range;
}

std::optional<std::string> NodeCidrRange::first_free(const std::set<std::string>& used) const {
  for (std::uint32_t i = 0; i < blocks_; ++i) {
    std::string block = block_text(base_ + (i << (32 - kNodeCidrBits)));
    if (used.count(block) == 0) return block;
  }
  return std::nullopt;
}

}  // namespace skiff::controllers
