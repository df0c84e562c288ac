#include "apiserver/watch_filter.h"

namespace skiff::apiserver {

api::Outcome<WatchFilter> WatchFilter::make(const api::ResourceInfo& resource,
                                            std::string_view labels, std::string_view fields) {
  SKIFF_TRY(auto selector, Selector::parse(resource, labels, fields));
  return WatchFilter(std::move(selector));
}

std::optional<WatchFilter::Seen> WatchFilter::look_at(const watch::Change& change) const {
  using Type = watch::Change::Type;
  api::StoredObject object(change.value, change.revision);
  const bool all = selector_.matches_everything();
  if (change.type == Type::added) {
    if (!all && !selector_.matches(object)) return std::nullopt;
    return Seen{"ADDED", std::move(object)};
  }
  if (change.type == Type::removed) {
    if (!all && !selector_.matches(object)) return std::nullopt;
    return Seen{"DELETED", std::move(object)};
  }
  if (all) return Seen{"MODIFIED", std::move(object)};
  // Sent with the revision of the change, so that the watcher's position moves on.
  api::StoredObject before(change.previous, change.revision);
  const bool matched = !before.empty() && selector_.matches(before);
  if (selector_.matches(object)) return Seen{matched ? "MODIFIED" : "ADDED", std::move(object)};
  if (matched) return Seen{"DELETED", std::move(before)};
  return std::nullopt;
}

}  // namespace skiff::apiserver
