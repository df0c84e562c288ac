// The pod addresses of a cluster, cut into one block per node. Pure.
#pragma once

#include <skiff/base/result.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace skiff::controllers {

// IPv4. Immutable.
class NodeCidrRange {
 public:
  // "10.42.0.0/16": at least one block of kNodeCidrBits. Errors: invalid_argument.
  static base::Result<NodeCidrRange> parse(std::string_view cidr);
  // The lowest block that is not in `used`; nullopt when all are.
  std::optional<std::string> first_free(const std::set<std::string>& used) const;

 private:
  std::uint32_t base_ = 0;
  std::uint32_t blocks_ = 0;
};

}  // namespace skiff::controllers
