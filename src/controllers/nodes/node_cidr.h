// The pod addresses of a cluster, cut into one block per node. Pure.
#pragma once

#include <skiff/base/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace skiff::controllers {

// IPv4. Immutable.
class NodeCidrRange {
 public:
  // "10.42.0.0/16": at least one block of kNodeCidrBits. Errors: invalid_argument.
  static base::Result<NodeCidrRange> parse(std::string_view cidr);
  std::uint32_t size() const { return blocks_; }  // in blocks
  std::string block(std::uint32_t number) const;
  // nullopt for what is no block of this range.
  std::optional<std::uint32_t> number_of(std::string_view block) const;

 private:
  std::uint32_t base_ = 0;
  std::uint32_t blocks_ = 0;
};

// Which blocks are taken; a block may be taken several times. Thread-compatible.
class NodeCidrPool {
 public:
  explicit NodeCidrPool(const NodeCidrRange& range) : range_(range) {}
  // What is no block of the range is passed over.
  void take(std::string_view block);
  void give_back(std::string_view block);
  // The lowest block that is not taken; nullopt when all are.
  std::optional<std::string> first_free();

 private:
  const NodeCidrRange range_;
  std::unordered_map<std::uint32_t, int> taken_;  // by number: how often
  std::uint32_t lowest_ = 0;                      // those below are taken
};

}  // namespace skiff::controllers
