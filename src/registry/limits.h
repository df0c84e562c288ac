// Every bound of the registry in one place.
#pragma once

#include <skiff/base/clock.h>

#include <cstddef>
#include <cstdint>

namespace skiff::registry {

// Lost races of a write that names no resourceVersion before the client gets a conflict.
inline constexpr int kConflictRetriesMax = 64;
// metadata.name made from generateName: upstream's base length and suffix.
inline constexpr std::size_t kGeneratedNameLengthMax = 63;
inline constexpr std::size_t kGeneratedNameSuffixLength = 5;
inline constexpr int kGenerateNameAttemptsMax = 8;
static_assert(kGeneratedNameSuffixLength < kGeneratedNameLengthMax);

inline constexpr base::Duration kEventLifetime = std::chrono::hours(1);
// Expired events are collected together, not one by one.
inline constexpr base::Duration kEventSweepInterval = std::chrono::minutes(5);
static_assert(kEventSweepInterval < kEventLifetime);

// A commit answers before this long or its reader reads what is there.
inline constexpr std::size_t kEventSweepMax = 500;

// Random probes of an allocator before it walks the range.
inline constexpr int kAllocatorProbesMax = 16;
// Addresses of a service network that are tracked: a /12, as upstream's limit for IPv4.
inline constexpr std::uint64_t kServiceAddressesMax = 1u << 20;

}  // namespace skiff::registry
