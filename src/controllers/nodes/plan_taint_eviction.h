// When a pod has to leave a node because of its NoExecute taints. Pure.
#pragma once

#include <optional>

#include "controllers/common/objects.h"

namespace skiff::controllers {

bool tolerates(const Json& toleration, const Json& taint);

// nullopt: stays. Otherwise the time at which it is deleted (the past: now).
std::optional<base::WallTime> plan_taint_eviction(const Json& pod, const Json& node);

}  // namespace skiff::controllers
