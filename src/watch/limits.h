// Limits of the hub.
#pragma once

#include <cstddef>

namespace skiff::watch {

// Entries of a leaf and children of a branch. 32 pointers are 4 cache lines: a copy of a path costs
// about a kilobyte, a leaf about 13 bytes per object.
constexpr std::size_t kNodeSlotsMax = 32;
// A node below this is merged with a neighbour when both fit.
constexpr std::size_t kNodeSlotsLow = 8;
// 32^8 is more than any store holds.
constexpr std::size_t kTreeLevelsMax = 12;
// Ring entries that a subscription looks at while it holds the hub's lock.
constexpr std::size_t kScanSliceEvents = 512;
// Bytes that a ring entry costs beside its key and values.
constexpr std::size_t kChangeOverheadBytes = 160;

static_assert(kNodeSlotsLow * 2 < kNodeSlotsMax);

}  // namespace skiff::watch
