// Every limit of the client module.
#pragma once

#include <skiff/base/clock.h>

#include <cstddef>

namespace skiff::client {

// Back-off of lists and watches that fail (client-go's reflector ends at 30 s too).
inline constexpr base::Duration kRelistDelayMin = std::chrono::milliseconds(200);
inline constexpr base::Duration kRelistDelayMax = std::chrono::seconds(30);

// client-go's ItemExponentialFailureRateLimiter.
inline constexpr base::Duration kRetryDelayMin = std::chrono::milliseconds(5);
inline constexpr base::Duration kRetryDelayMax = std::chrono::seconds(1000);

// client-go's EventCorrelator.
inline constexpr std::size_t kEventCacheMax = 4096;
inline constexpr std::size_t kEventQueueMax = 1000;
inline constexpr std::size_t kSimilarEventsMax = 10;
inline constexpr base::Duration kSimilarEventsWindow = std::chrono::minutes(10);
inline constexpr std::size_t kSpamBurst = 25;
inline constexpr base::Duration kSpamRefill = std::chrono::minutes(5);  // one event each
inline constexpr int kEventWriteTriesMax = 12;
inline constexpr base::Duration kEventRetryDelay = std::chrono::seconds(10);
inline constexpr std::size_t kEventMessageBytesMax = 1024;

static_assert(kRelistDelayMin < kRelistDelayMax && kRetryDelayMin < kRetryDelayMax);
static_assert(kEventQueueMax <= kEventCacheMax);
static_assert(kSimilarEventsMax < kSpamBurst);

}  // namespace skiff::client
