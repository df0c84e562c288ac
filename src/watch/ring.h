// The latest changes, bounded in bytes and number, and who waits for which of them. Shared by the
// hub and its subscriptions, so that either may go first.
#pragma once

#include "watch/limits.h"

#include <skiff/base/async.h>
#include <skiff/watch/hub.h>

#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>

namespace skiff::watch {

// One subscription's place. Under the ring's mutex.
struct Place {
  std::string prefix;
  // Changes up to `seen` are handed out. With `unseen` 0 nothing after it matches, whatever its
  // value; else the first that may match is at `unseen`.
  Revision seen = 0;
  Revision unseen = 0;
  bool nudged = false;
  base::Notifier notifier;
};

// Thread-safe.
class Ring {
 public:
  Ring(const HubOptions& options, Revision start)
      : options_(options), newest_(start), dropped_upto_(start) {}

  void publish(std::vector<ChangeRef> changes, Revision upto);

  base::Result<std::shared_ptr<Place>> subscribe(std::string prefix, Revision from);
  void unsubscribe(const std::shared_ptr<Place>& place);
  // What the place has not seen. nullopt: nothing, wait for its notifier.
  base::Result<std::optional<Subscription::Batch>> collect(Place& place, std::size_t limit);
  base::Result<Subscription::Batch> changes_after(std::string_view prefix, Revision from) const;
  void nudge(Place& place);
  Revision position(const Place& place) const;
  Revision oldest() const;
  std::size_t bytes() const;

 private:
  using Places = std::vector<std::shared_ptr<Place>>;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  void wake_matching(const Change& change);
  base::Status check_kept(Revision from) const;
  std::size_t index_after(Revision revision) const;

  const HubOptions options_;
  mutable std::mutex mutex_;
  std::deque<ChangeRef> changes_;
  std::size_t bytes_ = 0;
  Revision newest_;
  Revision dropped_upto_;  // changes up to here are no longer in the ring
  std::unordered_map<std::string, Places, Hash, std::equal_to<>> places_;
  std::map<std::size_t, std::size_t> prefix_lengths_;  // length -> prefixes that have it
};

}  // namespace skiff::watch
