// Which objects a LIST, WATCH or DELETECOLLECTION is about, and at which revision.
#pragma once

#include <skiff/api/object.h>
#include <skiff/api/outcome.h>
#include <skiff/api/selector.h>
#include <skiff/base/async.h>
#include <skiff/watch/hub.h>

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/context.h"

namespace skiff::apiserver {

// The selectors of a request. Immutable once parsed.
class Selector {
 public:
  // Errors: 400 in upstream's words.
  static api::Outcome<Selector> parse(const api::ResourceInfo& resource, std::string_view labels,
                                      std::string_view fields);
  bool matches(const api::StoredObject& object) const;
  bool matches_everything() const { return labels_.matches_everything() && fields_.empty(); }
  // The one name that can match; empty when the selector does not name one.
  const std::string& only_name() const { return only_name_; }

 private:
  const api::ResourceInfo* resource_ = nullptr;
  api::LabelSelector labels_;
  api::FieldSelector fields_;
  std::string only_name_;
};

// Snapshots that a continue token may come back for. Thread-safe.
class ContinueSnapshots {
 public:
  explicit ContinueSnapshots(base::Timers& timers) : timers_(timers) {}
  ~ContinueSnapshots();
  void keep(const watch::Snapshot& snapshot);
  std::optional<watch::Snapshot> find(watch::Revision revision) const;

 private:
  void drop_old();
  struct Kept {
    watch::Snapshot snapshot;
    base::MonotonicTime until;
  };
  base::Timers& timers_;
  mutable std::mutex mutex_;
  std::deque<Kept> kept_;    // under mutex_
  base::TimerId timer_ = 0;  // under mutex_
};

struct ListParameters {
  std::string label_selector, field_selector;
  std::string resource_version, resource_version_match;
  std::int64_t limit = 0;
  std::string continue_token;
};
// Errors: 400 and 422 for combinations that make no sense.
api::Outcome<ListParameters> list_parameters(const http::Query& query);

struct Selected {
  std::vector<api::StoredObject> items;
  watch::Revision revision = 0;
  std::string continue_token;  // empty at the end of the list
  std::int64_t remaining = 0;  // 0 = not known
};
// Of a token whose snapshot is gone: one for what follows the same object as things are now. Empty
// for what is no token.
std::string continue_at_latest(std::string_view token);
// Looks in slices, so that a long list does not hold a worker.
base::Task<api::Outcome<Selected>> select_objects(Services& services, registry::Scope scope,
                                                  ListParameters parameters,
                                                  base::CancelToken cancel);

// A snapshot no older than the resourceVersion ("" and "0": the latest). Errors: 400, 504.
base::Task<api::Outcome<watch::Snapshot>> snapshot_at_least(Services& services,
                                                            std::string resource_version,
                                                            base::CancelToken cancel);
// Errors: 400 for what is no resourceVersion.
api::Outcome<watch::Revision> parse_revision(std::string_view text);

}  // namespace skiff::apiserver
