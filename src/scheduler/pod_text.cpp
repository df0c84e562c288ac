#include "scheduler/pod_text.h"

#include <skiff/api/scan.h>

namespace skiff::scheduler {

using codec::Json;

bool is_same_at(const api::StoredObject& before, const Json& after,
                std::initializer_list<std::string_view> path) {
  return api::scan_tree(before.text(), path) == after.at(path);
}

bool is_marked_gated(const api::StoredObject& pod) {
  const Json conditions = api::scan_tree(pod.text(), {"status", "conditions"});
  for (const Json& condition : conditions.items())
    if (condition["type"].as_string() == "PodScheduled")
      return condition["reason"].as_string() == "SchedulingGated";
  return false;
}

Json placement_part(const api::StoredObject& pod, const api::ObjectSummary& summary) {
  Json part = Json::object();
  Json& metadata = part.set("metadata", Json::object());
  metadata.set("name", summary.name);
  metadata.set("namespace", summary.namespace_name);
  metadata.set("uid", summary.uid);
  metadata.set("labels", api::scan_tree(pod.text(), {"metadata", "labels"}));
  part.set("spec", api::scan_tree(pod.text(), {"spec"}));
  return part;
}

}  // namespace skiff::scheduler
