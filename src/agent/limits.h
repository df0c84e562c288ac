// Every limit and interval of the agent. Sources: the kubelet's defaults.
#pragma once

#include <skiff/base/clock.h>

#include <cstddef>
#include <cstdint>

namespace skiff::agent {

using base::operator""s;
using base::operator""ms;
using base::operator""min;
using base::operator""h;

// Restarts of containers and retries of pulls.
inline constexpr base::Duration kBackOffInitial = 10s;
inline constexpr base::Duration kBackOffMax = 5min;
// A container that ran this long starts again without back-off.
inline constexpr base::Duration kBackOffReset = 10min;
static_assert(kBackOffReset == 2 * kBackOffMax, "the kubelet forgets after twice the maximum");

// Sandbox, network and volumes are tried again after this, doubling.
inline constexpr base::Duration kPrepareRetryInitial = 500ms;
inline constexpr base::Duration kPrepareRetryMax = 2min;
// A container whose configuration is missing (a ConfigMap that is absent) is looked at again.
inline constexpr base::Duration kConfigRetry = 10s;

// Even with a grace period that is over a container gets this long between SIGTERM and SIGKILL.
inline constexpr std::int64_t kGraceSecondsMin = 2;
// After SIGKILL; then the runtime is asked once more.
inline constexpr base::Duration kKillWait = 10s;
inline constexpr std::int64_t kDefaultGraceSeconds = 30;

inline constexpr std::size_t kTerminationMessageBytesMax = 4096;
// FallbackToLogsOnError takes the end of the log: 80 lines or 2048 bytes.
inline constexpr std::size_t kFallbackLogBytesMax = 2048;
inline constexpr std::size_t kFallbackLogLinesMax = 80;
static_assert(kFallbackLogBytesMax <= kTerminationMessageBytesMax);

// How often emptyDirs with a sizeLimit are measured; the kubelet's eviction interval.
inline constexpr base::Duration kStorageInterval = 10s;

inline constexpr std::size_t kEnvBytesMax = 1u << 20;
inline constexpr std::size_t kVolumePayloadBytesMax = 4u << 20;
inline constexpr std::size_t kHookOutputBytesMax = 10u << 10;
inline constexpr int kProbeRedirectsMax = 10;  // as Go's client
inline constexpr std::size_t kProbeBodyBytesMax = 10u << 10;
// All probes but the first of a container begin at whole multiples of this.
inline constexpr base::Duration kProbeTick = 200ms;

inline constexpr base::Duration kLeaseRenewInterval = 10s;
inline constexpr base::Duration kNodeStatusCheckInterval = 10s;
// A status that says nothing new; that the node lives is known by its lease. Each costs a worker
// some KB on what may be a metered link, and its master a write.
inline constexpr base::Duration kNodeStatusReportInterval = 30min;
inline constexpr std::size_t kNodeImagesMax = 50;

// Images are removed when more of the disk than the high mark is used, down to the low mark.
inline constexpr std::int64_t kImageGcHighPercent = 85, kImageGcLowPercent = 80;
static_assert(kImageGcLowPercent < kImageGcHighPercent);
inline constexpr base::Duration kImageGcAgeMin = 2min;
inline constexpr base::Duration kImageGcInterval = 5min;

inline constexpr base::Duration kStatusRetryInitial = 200ms;
inline constexpr base::Duration kStatusRetryMax = 30s;

inline constexpr std::int64_t kTokenSecondsDefault = 3600;
inline constexpr base::Duration kTokenRefreshAgeMax = 24h;
inline constexpr base::Duration kTokenRetry = 10s;

// The service proxy and the cluster's DNS.
inline constexpr base::Duration kRulesRetryInitial = 1s;
inline constexpr base::Duration kRulesRetryMax = 30s;
inline constexpr base::Duration kDnsBindRetryInitial = 1s;
inline constexpr base::Duration kDnsBindRetryMax = 30s;
static_assert(kRulesRetryInitial < kRulesRetryMax && kDnsBindRetryInitial < kDnsBindRetryMax);
// As CoreDNS answers for Services.
inline constexpr std::uint32_t kServiceTtlSeconds = 5;
// An ExternalName that points to another ExternalName of the cluster, and so on.
inline constexpr int kAliasStepsMax = 8;
// Endpoints in one answer; a larger one would not fit a TCP message.
inline constexpr std::size_t kAnswerEndpointsMax = 1000;

// Streams of the API server: one read, streams at a time.
inline constexpr std::size_t kStreamReadBytes = 32u << 10;
inline constexpr std::size_t kStreamsMax = 256;
// After a command has ended its output is read for at most this long.
inline constexpr base::Duration kExecDrain = 2s;
// The proxy subresource: the body that is passed on (the API server takes 3 MiB), until the head of
// the answer.
inline constexpr std::size_t kProxyBodyBytesMax = 4u << 20;
inline constexpr base::Duration kProxyHeadTimeout = 60s;
inline constexpr std::size_t kLogLineBytesMax = 64u << 10;

}  // namespace skiff::agent
