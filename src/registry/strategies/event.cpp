#include <skiff/registry/registry.h>

#include <utility>

#include "registry/strategy.h"

namespace skiff::registry {

using codec::Json;

namespace {

// core/v1 on the left, events.k8s.io/v1 on the right.
constexpr std::pair<std::string_view, std::string_view> kRenamed[] = {
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
    {"reportingComponent", "reportingController"},
};

Json convert(const Json& event, std::string_view api_version, bool to_core) {
  Json result = Json::object({{"kind", "Event"}, {"apiVersion", api_version}});
  for (const auto& member : event.members()) {
    if (member.key == "kind" || member.key == "apiVersion") continue;
    std::string_view name = member.key;
    for (const auto& [core, group] : kRenamed) {
      if (name == (to_core ? group : core)) {
        name = to_core ? core : group;
        break;
      }
    }
    result.set(name, member.value);
  }
  return result;
}

}  // namespace

Json event_to_events_group(const Json& core_event) {
  return convert(core_event, "events.k8s.io/v1", false);
}

Json event_to_core(const Json& event) { return convert(event, "v1", true); }

std::optional<Json> convert_for_read(const api::ResourceInfo& resource,
                                     const api::StoredObject& stored) {
  if (resource.group == resource.storage_group) return std::nullopt;
  auto tree = stored.parse();
  if (!tree.is_ok()) return std::nullopt;
  return event_to_events_group(*tree);
}

}  // namespace skiff::registry
