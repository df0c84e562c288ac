// Every bound of this module.
#pragma once

#include <cstddef>

namespace skiff::net {

// A node's pod network is a /24 as a rule; larger ones are used up to this many addresses.
inline constexpr std::size_t kPodAddressesMax = 4096;
inline constexpr std::size_t kAllocationFileBytesMax = 1u << 20;

// IFNAMSIZ without the terminator.
inline constexpr std::size_t kInterfaceNameBytesMax = 15;

// One netlink batch of packet rules, and the answers to it.
inline constexpr std::size_t kBatchBytesMax = 8u << 20;
inline constexpr std::size_t kBatchPageBytes = 64u << 10;
static_assert(kBatchPageBytes < kBatchBytesMax);

}  // namespace skiff::net
