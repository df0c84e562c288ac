// Every bound of the API server in one place.
#pragma once

#include <skiff/base/clock.h>

#include <cstddef>
#include <cstdint>

namespace skiff::apiserver {

// Requests at work, watches and streams not counted. The control plane, the node agents and the
// health checks have a lane of their own and are never refused.
inline constexpr int kReadsInFlightMax = 400;
inline constexpr int kWritesInFlightMax = 200;

inline constexpr std::size_t kPathPartsMax = 64;
inline constexpr std::size_t kBodyBytesMax = 3u << 20;
inline constexpr std::size_t kFieldManagerLengthMax = 128;

// A LIST below this goes out in one piece; above, in pieces of kListPieceBytes.
inline constexpr std::size_t kListWholeBytesMax = 256u << 10;
inline constexpr std::size_t kListPieceBytes = 96u << 10;
static_assert(kListPieceBytes <= kListWholeBytesMax);
// Objects that a worker looks at before it lets others run.
inline constexpr std::size_t kScanSliceObjects = 512;
// Snapshots kept for continue tokens.
inline constexpr std::size_t kContinueSnapshotsMax = 16;
inline constexpr base::Duration kContinueLifetime = std::chrono::minutes(5);

// How long a read waits for a resourceVersion that is not there yet.
inline constexpr base::Duration kRevisionWaitMax = std::chrono::seconds(3);

inline constexpr std::size_t kWatchBatchMax = 64;
// Between two tries of who asks in this process, which costs nobody anything.
inline constexpr std::chrono::seconds kLoopbackRetryMax{1};
inline constexpr base::Duration kWatchTimeoutMin = std::chrono::minutes(30);
inline constexpr base::Duration kWatchTimeoutMax = std::chrono::minutes(60);
inline constexpr base::Duration kBookmarkBeforeEnd = std::chrono::seconds(2);
static_assert(kBookmarkBeforeEnd < kWatchTimeoutMin);
inline constexpr base::Duration kBookmarkIntervalMin = std::chrono::seconds(60);
// Encoded events shared by the watchers of one change.
inline constexpr std::size_t kSharedEventsMax = 32;
inline constexpr std::size_t kSharedEventBytesMax = 256u << 10;

// The session skiff-watch-v1. Objects that are known to be at the client, for deltas; deltas shared
// by the watchers of one change.
inline constexpr std::size_t kSessionWatchesMax = 2048;
inline constexpr std::size_t kSentObjectsMax = 4096;
inline constexpr std::size_t kSharedDeltasMax = 32;
// How often a session is looked after, and at how many of these times its watches are authorized
// again: once in five minutes. A client that takes nothing from one time to the next is let go.
inline constexpr base::Duration kSessionCheckInterval = std::chrono::seconds(60);
inline constexpr int kSessionAuthorizeEvery = 5;
// A client is told how far it is when that is so many revisions further.
inline constexpr std::uint64_t kPositionStep = 500;

// Labels of last use that wait to be written; what is used again asks again.
inline constexpr std::size_t kLegacyTokenUsesMax = 256;

// From as many groups or extras on, a constrained impersonation asks first for all of them ("*").
inline constexpr std::size_t kImpersonatedAtOnce = 4;

// Connections of one `kubectl port-forward` at a time.
inline constexpr std::size_t kForwardedConnectionsMax = 256;

// The head of a proxied answer as JSON, and the pieces in which a request's body goes to the node.
inline constexpr std::size_t kProxyHeadBytesMax = 256u << 10;
inline constexpr std::size_t kProxyPieceBytes = 64u << 10;
// Of a page, whose links are changed.
inline constexpr std::size_t kProxyTagBytesMax = 16u << 10;

// Nodes that are connected to this master: streams of one, and until one is open; what waits to be
// told a node; the words of 64 random bits in a stream's id.
inline constexpr std::size_t kStreamsPerNodeMax = 256;
inline constexpr base::Duration kNodeStreamOpenTimeout = std::chrono::seconds(30);
inline constexpr std::size_t kControlFramesMax = 4 * kStreamsPerNodeMax;
inline constexpr std::size_t kStreamIdWords = 2;
inline constexpr base::Duration kNodeHelloTimeout = std::chrono::seconds(10);
// Between two renewals of a node's lease, however many heartbeats come; until the next try where
// one failed.
inline constexpr base::Duration kLeasePause = std::chrono::seconds(2);
// A request to join, and who may be wrong how often: as many at once, then one per interval.
inline constexpr std::size_t kJoinBodyBytesMax = 32u << 10;
inline constexpr std::size_t kJoinBodyDepthMax = 8;
inline constexpr std::size_t kJoinBodyValuesMax = 512;
inline constexpr std::size_t kNodeNameShownMax = 80;
inline constexpr std::size_t kProtocolShownMax = 64;
inline constexpr std::size_t kJoinTokenIdShownMax = 64;
inline constexpr std::size_t kJoinProofDigits = 64;
inline constexpr int kJoinRoundsMax = 16;
inline constexpr int kJoinFailuresSourceMax = 10;
inline constexpr base::Duration kJoinFailuresSourceInterval = std::chrono::seconds(6);
inline constexpr int kJoinFailuresAllMax = 300;
inline constexpr base::Duration kJoinFailuresAllInterval = std::chrono::milliseconds(100);
// Between two looks that both must find a join token over.
inline constexpr base::Duration kJoinTokenPatience = std::chrono::hours(1);
inline constexpr base::Duration kJoinTokenKeptAfterEnd = std::chrono::hours(24 * 7);
inline constexpr std::size_t kJoinFailureSourcesMax = 1024;
inline constexpr base::Duration kNodeCertificateLife = std::chrono::hours(24 * 365);

}  // namespace skiff::apiserver
