// What a change means to a watcher with selectors.
#pragma once

#include <skiff/api/object.h>
#include <skiff/api/outcome.h>
#include <skiff/watch/hub.h>

#include <optional>
#include <string_view>

#include "apiserver/selection.h"

namespace skiff::apiserver {

// Immutable.
class WatchFilter {
 public:
  static api::Outcome<WatchFilter> make(const api::ResourceInfo& resource, std::string_view labels,
                                        std::string_view fields);
  struct Seen {
    std::string_view type;  // "ADDED", "MODIFIED", "DELETED"
    api::StoredObject object;
  };
  // nullopt when the watcher does not see the change. An object that leaves the selection is
  // DELETED, one that enters it ADDED.
  std::optional<Seen> look_at(const watch::Change& change) const;
  bool matches(const api::StoredObject& object) const { return selector_.matches(object); }

 private:
  explicit WatchFilter(Selector selector) : selector_(std::move(selector)) {}
  Selector selector_;
};

}  // namespace skiff::apiserver
