#include "controllers/nodes/node_cidr.h"

#include <skiff/base/strings.h>

#include <algorithm>

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

std::string NodeCidrRange::block(std::uint32_t number) const {
  const std::uint32_t address = base_ + (number << (32 - kNodeCidrBits));
  return base::concat(address >> 24, '.', address >> 16 & 255, '.', address >> 8 & 255, '.',
                      address & 255, '/', kNodeCidrBits);
}

std::optional<std::uint32_t> NodeCidrRange::number_of(std::string_view block) const {
  const std::size_t slash = block.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto address = parse_ipv4(block.substr(0, slash));
  auto bits = base::parse_int(block.substr(slash + 1));
  if (!address || !bits || *bits != kNodeCidrBits || *address < base_) return std::nullopt;
  const std::uint32_t number = (*address - base_) >> (32 - kNodeCidrBits);
  return number < blocks_ ? std::optional(number) : std::nullopt;
}

void NodeCidrPool::take(std::string_view block) {
  if (auto number = range_.number_of(block)) ++taken_[*number];
}

void NodeCidrPool::give_back(std::string_view block) {
  auto number = range_.number_of(block);
  if (!number) return;
  auto found = taken_.find(*number);
  if (found == taken_.end() || --found->second > 0) return;
  taken_.erase(found);
  lowest_ = std::min(lowest_, *number);
}

std::optional<std::string> NodeCidrPool::first_free() {
  while (lowest_ < range_.size() && taken_.count(lowest_) != 0) ++lowest_;
  if (lowest_ == range_.size()) return std::nullopt;
  return range_.block(lowest_);
}

}  // namespace skiff::controllers
