// Every limit of the client module.
#pragma once

#include <skiff/base/clock.h>

#include <cstddef>

namespace skiff::client {

// Back-off of lists and watches that fail (client-go's reflector ends at 30 s too).
inline constexpr base::Duration kRelistDelayMin = std::chrono::milliseconds(200);
inline constexpr base::Duration kRelistDelayMax = std::chrono::seconds(30);

// Where nobody is asked: the server is in this process, or there is no connection to one.
inline constexpr base::Duration kRelistDelayFreeMax = std::chrono::seconds(1);

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

// A worker's connection to its masters. The longest wait before the next attempt is a share of the
// time without one.
inline constexpr int kReconnectShareOfOutage = 4;
inline constexpr base::Duration kReconnectWaitMin = std::chrono::milliseconds(500);
inline constexpr base::Duration kReconnectWaitMax = std::chrono::seconds(30);
// A connection that lasted so long was a good one.
inline constexpr base::Duration kConnectionGoodAfter = std::chrono::seconds(5);
inline constexpr base::Duration kConnectTimeout = std::chrono::seconds(10);
// Above the interval of heartbeats, so that these are the pings.
inline constexpr base::Duration kPingInterval = std::chrono::seconds(40);
inline constexpr base::Duration kPingTimeout = std::chrono::seconds(10);

// Requests over it: how long one waits for a connection, and for its whole answer; how many there
// are at a time; what an answer may have.
inline constexpr base::Duration kConnectionWaitMax = std::chrono::seconds(5);
inline constexpr base::Duration kAnswerTimeout = std::chrono::seconds(60);
inline constexpr std::size_t kRequestsAtOnceMax = 512;
inline constexpr std::size_t kObjectBytesMax = 4u << 20;
inline constexpr std::size_t kListHeadBytesMax = 64u << 10;
inline constexpr std::size_t kListBytesMax = 256u << 20;

// Watches over it. What one reader has not taken yet; one that is slower must list again.
inline constexpr std::size_t kRemoteWatchesMax = 2048;
inline constexpr std::size_t kUnreadEventsMax = 4096;
inline constexpr std::size_t kUnreadEventBytesMax = 8u << 20;
// Events of one next().
inline constexpr std::size_t kRemoteBatchMax = 64;
// Of a version of an object, looked through for pieces that the next one has too.
inline constexpr std::size_t kDeltaIndexBytesMax = 256u << 10;
// Between two attempts of a watch that a master ends or refuses for the moment.
inline constexpr base::Duration kRewatchWait = std::chrono::seconds(1);

static_assert(kReconnectWaitMin < kReconnectWaitMax);
static_assert(kObjectBytesMax < kUnreadEventBytesMax && kObjectBytesMax < kListBytesMax);

// Sessions of a node (node_protocol.h). A request holds an exec's command or a proxied head.
inline constexpr std::size_t kNodeHelloBytesMax = 4u << 10;
inline constexpr std::size_t kNodeRequestBytesMax = 256u << 10;
inline constexpr std::size_t kNodeStatusBytesMax = 64u << 10;
inline constexpr std::size_t kNodeSentenceBytesMax = 8u << 10;
static_assert(6 * kNodeSentenceBytesMax < kNodeStatusBytesMax, "escaped, with the code");
inline constexpr std::size_t kNodeMessageDepthMax = 32;
inline constexpr std::size_t kNodeMessageValuesMax = 20'000;
inline constexpr std::size_t kStreamIdBytesMax = 64;
// Data of one frame of a stream; more goes as several.
inline constexpr std::size_t kNodeFrameBytesMax = 1u << 20;
inline constexpr base::Duration kHeartbeatAnswerTimeout = std::chrono::seconds(10);
inline constexpr base::Duration kHelloTimeout = std::chrono::seconds(10);
// The session of a stream: until the master has taken it.
inline constexpr base::Duration kStreamSessionTimeout = std::chrono::seconds(20);
inline constexpr std::size_t kStreamsPerSessionMax = 256;

static_assert(kRelistDelayMin < kRelistDelayMax && kRetryDelayMin < kRetryDelayMax);
static_assert(kEventQueueMax <= kEventCacheMax);
static_assert(kSimilarEventsMax < kSpamBurst);

}  // namespace skiff::client
