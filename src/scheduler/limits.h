// Every limit of the scheduler.
#pragma once

#include <skiff/base/clock.h>

#include <cstddef>
#include <cstdint>

namespace skiff::scheduler {

// A pod that failed waits this long, doubled with every attempt.
inline constexpr base::Duration kBackoffMin = std::chrono::seconds(1);
inline constexpr base::Duration kBackoffMax = std::chrono::seconds(10);
// A pod that no event brought back is tried again after this time.
inline constexpr base::Duration kUnschedulableMax = std::chrono::minutes(5);

inline constexpr std::size_t kBindsInFlightMax = 128;
// Planning gives way to the other jobs of the loop after this long.
inline constexpr base::Duration kPlanSliceMax = std::chrono::milliseconds(2);

// Of large clusters only a part of the feasible nodes is looked for and scored.
inline constexpr std::size_t kFeasibleNodesMin = 100;
inline constexpr std::size_t kFeasiblePercentMin = 5;

// What a container without requests counts as when nodes are compared.
inline constexpr std::int64_t kDefaultMilliCpu = 100;
inline constexpr std::int64_t kDefaultMemoryBytes = 200LL * 1024 * 1024;

inline constexpr std::int64_t kScoreMax = 100;
inline constexpr std::int64_t kImageBytesMin = 23LL * 1024 * 1024;
inline constexpr std::int64_t kImageBytesMax = 1000LL * 1024 * 1024;  // per container

static_assert(kBackoffMin <= kBackoffMax && kBackoffMax < kUnschedulableMax);
static_assert(kImageBytesMin < kImageBytesMax);

}  // namespace skiff::scheduler
