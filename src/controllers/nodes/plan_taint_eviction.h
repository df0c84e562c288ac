// When a pod has to leave a node because of its NoExecute taints. Pure.
#pragma once

#include <skiff/base/age.h>

#include <optional>

#include "controllers/common/objects.h"

namespace skiff::controllers {

bool tolerates(const Json& toleration, const Json& taint);

// How long the pod still stays, zero or less when it leaves now; nullopt: for ever. `age_of` tells
// how long ago a taint was added.
std::optional<base::Duration> plan_taint_eviction(const Json& pod, const Json& node,
                                                  const base::AgeOf& age_of);

}  // namespace skiff::controllers
