// Pods that nobody will clean up but the pod garbage collector. Pure.
#pragma once

#include <functional>
#include <vector>

#include "controllers/common/controller.h"
#include "controllers/common/objects.h"

namespace skiff::controllers {

struct PodGarbage {
  JsonPtr pod;
  // Empty for pods that are terminal already; else why the pod is marked Failed first.
  std::string reason_message;
};

// `is_gone` tells that a node is surely not there any more.
std::vector<PodGarbage> plan_pod_garbage(const std::vector<JsonPtr>& pods,
                                         const std::function<bool(std::string_view)>& is_gone,
                                         std::size_t terminated_max);

}  // namespace skiff::controllers
