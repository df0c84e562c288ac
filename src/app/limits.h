// Every bound of this module.
#pragma once

#include <chrono>
#include <cstddef>

namespace skiff::app {

inline constexpr std::size_t kConfigFileBytesMax = 256u << 10;
inline constexpr std::size_t kKeyFileBytesMax = 64u << 10;

inline constexpr std::size_t kServersMax = 16;
inline constexpr std::size_t kTokenBytesMax = 512;

// Keys of tokens of ServiceAccounts: older ones that are kept, and how long files that change are
// let alone before they are read.
inline constexpr std::size_t kOlderServiceAccountKeysMax = 15;
inline constexpr std::chrono::milliseconds kKeyFilesSettle{200};

// Joining: answers of masters, of which one may be anybody; pauses between rounds.
inline constexpr std::size_t kJoinAnswerBytesMax = 256u << 10;
inline constexpr std::size_t kJoinAnswerDepthMax = 8;
inline constexpr std::size_t kJoinAnswerValuesMax = 256;
inline constexpr std::chrono::seconds kJoinRequestTimeout{15};
inline constexpr std::chrono::seconds kJoinPauseMin{1}, kJoinPauseMax{60};

// New tokens.
inline constexpr long long kTokenTtlSecondsMax = 3650LL * 86400;
inline constexpr long long kTokenUsesMax = 1'000'000;
inline constexpr std::size_t kTokenDescriptionBytesMax = 256;

// Threads: requests, connections, blocking system calls.
inline constexpr std::size_t kRequestThreadsMin = 2;
inline constexpr std::size_t kIoLoopsMax = 16;
inline constexpr std::size_t kBlockingThreadsMax = 16;
inline constexpr std::size_t kRequestThreadStackBytes = 256u << 10;
inline constexpr std::size_t kBlockingThreadStackBytes = 256u << 10;

// Heaps of the allocator in a process that is a worker alone.
inline constexpr int kWorkerArenasMax = 2;

// After an answer of so many bytes the heaps are trimmed, so long after it.
inline constexpr std::size_t kLargeAnswerBytes = 1u << 20;
inline constexpr std::chrono::seconds kTrimDelay{10};

// How long running requests may take to end when skiff stops.
inline constexpr std::chrono::seconds kStopGrace{5};

// How long a pod's end waits for it to leave the packet rules.
inline constexpr std::chrono::seconds kRulesBeforeStopMax{2};

// Certificates: the CA for ten years, the rest for one; back-dated for boards whose clock is
// behind.
inline constexpr std::chrono::hours kAuthorityLife{24 * 3650};
inline constexpr std::chrono::hours kCertificateLife{24 * 365};
static_assert(kCertificateLife < kAuthorityLife);
// Authorities before the present one that boards are still told of.
inline constexpr std::size_t kRetiredAuthoritiesMax = 8;
// A node's certificates: how often it looks whether the CA has rolled, and how soon it tries again.
inline constexpr std::chrono::hours kRenewCheckInterval{12};
inline constexpr std::chrono::seconds kRenewRetryMin{30}, kRenewRetryMax{3600};
// When the master says that the CA has rolled: nodes renew one after the other within this time.
inline constexpr std::chrono::seconds kFollowAuthoritiesMax{20};
// After a renewal, whatever the clock says.
inline constexpr std::chrono::hours kRenewAgainMin{1};
// How often a running master looks whether one is due, and how soon again after it could not renew.
inline constexpr std::chrono::hours kCertificateCheckInterval{1};
inline constexpr std::chrono::seconds kCertificateRetryInterval{30};
// A master's new address that could not be written to the cluster: when it tries again.
inline constexpr std::chrono::seconds kAddressRetryMin{1}, kAddressRetryMax{60};
// How often it looks whether the clock has jumped.
inline constexpr std::chrono::minutes kClockLookInterval{1};
// So long the overlap of two authorities has been over before it is ended.
inline constexpr std::chrono::hours kOverlapPatience{6};
// What begins later than this is of a clock that was ahead: more than it is back-dated, and more
// than a clock that goes on from the time floor may be behind.
inline constexpr std::chrono::hours kCertificateFutureMax{72};
// How far the time floor on disk may be behind.
inline constexpr std::chrono::hours kTimeFloorInterval{24};
inline constexpr std::chrono::minutes kTimeFloorLookInterval{30};
static_assert(kTimeFloorLookInterval < kTimeFloorInterval);

}  // namespace skiff::app
