// How many replicas every ReplicaSet of a Deployment should have next. Pure.
#pragma once

#include <skiff/base/clock.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skiff::controllers {

struct ReplicaSetFacts {
  std::string name;
  std::int64_t created_ns = 0;
  std::int64_t replicas = 0;  // spec
  std::int64_t status_replicas = 0;
  std::int64_t available = 0;
  std::optional<std::int64_t> desired;       // annotation desired-replicas
  std::optional<std::int64_t> max_replicas;  // annotation max-replicas
};

struct RolloutFacts {
  std::int64_t replicas = 0;         // of the Deployment
  std::int64_t status_replicas = 0;  // its status.replicas
  bool rolling = true;               // else Recreate
  std::int64_t max_surge = 0;        // resolved; 0 unless rolling
  std::int64_t max_unavailable = 0;  // resolved; at most `replicas`
  std::optional<ReplicaSetFacts> new_set;
  std::vector<ReplicaSetFacts> old_sets;
};

struct ScaleStep {
  std::string name;
  std::int64_t replicas = 0;
  friend bool operator==(const ScaleStep&, const ScaleStep&) = default;
};
using ScaleSteps = std::vector<ScaleStep>;

// maxSurge and maxUnavailable as upstream resolves them: never both zero.
struct FencePosts {
  std::int64_t surge = 0, unavailable = 0;
};
FencePosts resolve_fence_posts(std::int64_t surge, std::int64_t unavailable);

// Replicas with which a new ReplicaSet is created.
std::int64_t plan_new_set_replicas(const RolloutFacts& facts);

// The next step of a rolling update: the new set up (or down), else old sets down.
// REQUIRES: new_set.
ScaleSteps plan_rolling_update(const RolloutFacts& facts);
// Recreate: old sets to zero.
ScaleSteps plan_recreate_down(const RolloutFacts& facts);

// Whether spec.replicas of the Deployment changed since the sets were scaled last.
bool is_scaling(const RolloutFacts& facts);
// The steps of a plain scale: all to the one active set, or in proportion during a rollout. Steps
// that change nothing are listed too (their annotations are brought up to date).
ScaleSteps plan_scale(const RolloutFacts& facts);

}  // namespace skiff::controllers
