#include "controllers/nodes/plan_pod_garbage.h"

#include <algorithm>

namespace skiff::controllers {

std::vector<PodGarbage> plan_pod_garbage(const std::vector<JsonPtr>& pods,
                                         const std::function<bool(std::string_view)>& is_gone,
                                         std::size_t terminated_max) {
  std::vector<PodGarbage> garbage;
  std::vector<JsonPtr> terminated;
  for (const auto& pod : pods) {
    std::string_view node = pod->at({"spec", "nodeName"}).as_string();
    bool terminal = is_pod_terminal(*pod);
    if (!node.empty() && is_gone(node)) {
      garbage.push_back({pod, terminal ? "" : "PodGC: node no longer exists"});
    } else if (node.empty() && api::is_being_deleted(*pod)) {
      garbage.push_back({pod, terminal ? "" : "PodGC: unscheduled pod is being deleted"});
    } else if (terminal) {
      terminated.push_back(pod);
    }
  }
  if (terminated.size() <= terminated_max) return garbage;
  std::sort(terminated.begin(), terminated.end(), [](const JsonPtr& a, const JsonPtr& b) {
    return std::pair(a->at({"metadata", "creationTimestamp"}).as_string(), api::name_of(*a)) <
           std::pair(b->at({"metadata", "creationTimestamp"}).as_string(), api::name_of(*b));
  });
  terminated.resize(terminated.size() - terminated_max);
  for (const auto& pod : terminated) garbage.push_back({pod, ""});
  return garbage;
}

}  // namespace skiff::controllers
