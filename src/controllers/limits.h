// Every limit of the controllers.
#pragma once

#include <skiff/base/clock.h>

#include <cstddef>

namespace skiff::controllers {

inline constexpr std::size_t kConcurrentSyncsMax = 5;  // per controller
inline constexpr std::size_t kParsedObjectsMax = 16;

// ReplicaSets: pods created or deleted by one sync, and the first batch of a slow start.
inline constexpr std::size_t kBurstReplicasMax = 500;
inline constexpr std::size_t kSlowStartBatch = 1;
inline constexpr base::Duration kExpectationsTimeout = std::chrono::minutes(5);

// How long a Service's slices wait for the informer to show our own writes.
inline constexpr base::Duration kOwnWritesTimeout = std::chrono::seconds(10);
inline constexpr std::size_t kEndpointsPerSliceMax = 100;
inline constexpr std::size_t kEndpointsMax = 1000;  // of one Endpoints object

inline constexpr base::Duration kNamespaceRecheckDelay = std::chrono::seconds(2);

// Nodes: how long a node may be silent, and how often that is looked at while nodes exist.
inline constexpr base::Duration kNodeGracePeriod = std::chrono::seconds(50);
inline constexpr base::Duration kNodeStartupGracePeriod = std::chrono::seconds(60);
inline constexpr base::Duration kOrphanedPodQuarantine = std::chrono::seconds(40);
inline constexpr int kNodeCidrBits = 24;

// Certificates by signing request, as kube-controller-manager's --cluster-signing-duration; the
// end of short ones is not back-dated.
inline constexpr base::Duration kSignedLifeMax = std::chrono::hours(24 * 365);
inline constexpr base::Duration kSignedLifeMin = std::chrono::minutes(10);
inline constexpr base::Duration kSignedBackDating = std::chrono::minutes(5);
inline constexpr base::Duration kShortLife = std::chrono::hours(8);
// How long requests stay that nobody decided, and that somebody did.
inline constexpr base::Duration kPendingLife = std::chrono::hours(24);
inline constexpr base::Duration kDecidedLife = std::chrono::hours(1);

static_assert(kSignedBackDating < kSignedLifeMin && kSignedLifeMin < kShortLife);
static_assert(kSlowStartBatch <= kBurstReplicasMax);
static_assert(kEndpointsPerSliceMax <= kEndpointsMax);
static_assert(kNodeGracePeriod <= kNodeStartupGracePeriod);

}  // namespace skiff::controllers
