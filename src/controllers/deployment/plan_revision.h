// Which ReplicaSet belongs to a Deployment's template, and what a new one looks like. Pure.
#pragma once

#include <string>
#include <vector>

#include "controllers/common/objects.h"
#include "controllers/deployment/plan_rollout.h"

namespace skiff::controllers {

inline constexpr std::string_view kTemplateHashLabel = "pod-template-hash";
inline constexpr std::string_view kRevisionAnnotation = "deployment.kubernetes.io/revision";
inline constexpr std::string_view kRevisionHistoryAnnotation =
    "deployment.kubernetes.io/revision-history";
inline constexpr std::string_view kDesiredReplicasAnnotation =
    "deployment.kubernetes.io/desired-replicas";
inline constexpr std::string_view kMaxReplicasAnnotation = "deployment.kubernetes.io/max-replicas";

// Stable for equal templates whatever the order of members; characters are those of generated
// names. `collisions` is status.collisionCount.
std::string template_hash(const Json& pod_template, std::int64_t collisions);
// Equal apart from the hash label.
bool is_same_template(const Json& a, const Json& b);

std::int64_t revision_of(const Json& object);
// The annotations that the new set should have: the Deployment's, its revision (above that of every
// old set), its history when it comes back.
Json plan_set_annotations(const Json& deployment, const Json& set_annotations,
                          std::int64_t old_revision_max, std::int64_t max_surge);
Json make_new_set(const Json& deployment, std::int64_t replicas, Json annotations,
                  const std::string& hash);

// Old sets beyond revisionHistoryLimit that nothing uses any more, oldest first.
std::vector<const Json*> plan_history_cleanup(const Json& deployment,
                                              const std::vector<const Json*>& old_sets);

ReplicaSetFacts facts_of_set(const Json& set);

}  // namespace skiff::controllers
