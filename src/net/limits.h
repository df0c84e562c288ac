// Every bound of this module.
#pragma once

#include <chrono>
#include <cstddef>

namespace skiff::net {

// A node's pod network is a /24 as a rule; larger ones are used up to this many addresses.
inline constexpr std::size_t kPodAddressesMax = 4096;
inline constexpr std::size_t kAllocationFileBytesMax = 1u << 20;

// Messages about addresses are read this much at a time, and looked at when none came for so long.
inline constexpr std::size_t kAddressMessageBytes = 8u << 10;
inline constexpr std::chrono::milliseconds kAddressSettle{500};

// IFNAMSIZ without the terminator.
inline constexpr std::size_t kInterfaceNameBytesMax = 15;

// One netlink batch of packet rules, and the answers to it.
inline constexpr std::size_t kBatchBytesMax = 8u << 20;
inline constexpr std::size_t kBatchPageBytes = 64u << 10;
static_assert(kBatchPageBytes < kBatchBytesMax);

// DNS. 512 bytes are what every client takes over UDP, 1232 what crosses every link (DNS flag day).
inline constexpr std::size_t kDnsUdpBytesDefault = 512, kDnsUdpBytesMax = 1232;
inline constexpr std::size_t kDnsMessageBytesMax = 65535;
inline constexpr std::size_t kDnsNameBytesMax = 253, kDnsLabelBytesMax = 63;
inline constexpr std::size_t kDnsDatagramsPerTurn = 32;
inline constexpr std::size_t kDnsForwardsMax = 256;  // under way at once; more get SERVFAIL
inline constexpr std::size_t kDnsTcpConnectionsMax = 64;
inline constexpr std::size_t kDnsResolversMax = 3;  // as the C library reads
inline constexpr std::chrono::seconds kDnsResolverTimeout{2};
inline constexpr std::chrono::seconds kDnsTcpIdle{10};
inline constexpr std::size_t kResolvConfBytesMax = 64u << 10;
static_assert(kDnsUdpBytesDefault < kDnsUdpBytesMax && kDnsUdpBytesMax < kDnsMessageBytesMax);

}  // namespace skiff::net
