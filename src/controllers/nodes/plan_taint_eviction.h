// When a pod has to leave a node because of its NoExecute taints. Pure.
#pragma once

#include <functional>
#include <optional>

#include "controllers/common/objects.h"

namespace skiff::controllers {

bool tolerates(const Json& toleration, const Json& taint);

// How long the pod still stays, zero or less when it leaves now; nullopt: for ever. `age_of` tells
// how long ago a taint was added, `pod_age` how long the pod is there: what came to a taint counts
// from its own beginning.
std::optional<base::Duration> plan_taint_eviction(
    const Json& pod, const Json& node,
    const std::function<base::Duration(const Json& taint)>& age_of, base::Duration pod_age);

}  // namespace skiff::controllers
