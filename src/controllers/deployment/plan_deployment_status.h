// The status of a Deployment from what its ReplicaSets report. Pure.
#pragma once

#include <skiff/base/clock.h>

#include <optional>
#include <vector>

#include "controllers/common/objects.h"

namespace skiff::controllers {

struct DeploymentView {
  const Json& deployment;
  const Json* new_set = nullptr;  // null when there is none yet
  std::vector<const Json*> old_sets;
  std::int64_t max_unavailable = 0;  // resolved
};

bool has_progress_deadline(const Json& deployment);
// Counters and the Available condition; other conditions as they were.
Json plan_status(const DeploymentView& view, base::WallTime now);
// Also Progressing and ReplicaFailure, as after a step of a rollout.
Json plan_rollout_status(const DeploymentView& view, base::WallTime now, const base::AgeOf& age_of);
bool is_complete(const Json& deployment, const Json& status);
// When an unchanged rollout has to be looked at again for its deadline; nullopt for never.
std::optional<base::Duration> until_deadline(const Json& deployment, const Json& status,
                                             const base::AgeOf& age_of);
// Sets the condition as upstream's SetDeploymentCondition does (lastUpdateTime included). Returns
// whether it changed.
bool set_deployment_condition(Json& status, std::string_view type, std::string_view state,
                              std::string_view reason, std::string_view message,
                              base::WallTime now);

}  // namespace skiff::controllers
