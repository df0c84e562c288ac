// Limits of module sys.
#pragma once

#include <cstddef>

namespace skiff::sys {

inline constexpr std::size_t kProcFileBytesMax = 1u << 20;
inline constexpr std::size_t kMountInfoBytesMax = 16u << 20;
inline constexpr std::size_t kPipeReadBytes = 16u << 10;
inline constexpr std::size_t kMountOptionBytesMax =
    4000;                                 // one page, with room for the kernel's own
inline constexpr int kSymlinksMax = 40;   // as the kernel's MAXSYMLINKS
inline constexpr int kTreeDepthMax = 64;  // a pool thread's stack has 256 KB
inline constexpr int kBusyRoundsMax = 200;
inline constexpr int kKillRoundMs = 10;

}  // namespace skiff::sys
