// The latest objects in memory, and the fan-out of their changes. Fed only by store events.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/result.h>
#include <skiff/base/shared_bytes.h>
#include <skiff/store/store.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::watch {

using store::Revision;

struct Entry {
  std::string_view key;  // lives as long as the snapshot
  base::SharedBytes value;
  Revision revision = 0;
};

// All objects at one revision: an immutable tree shared by readers. Thread-safe, cheap to copy.
class Snapshot {
 public:
  class Tree;  // hidden
  explicit Snapshot(std::shared_ptr<const Tree> tree);
  Revision revision() const;
  std::optional<Entry> get(std::string_view key) const;
  // Visits keys that start with `prefix` and are greater than `after` in key order until `visit`
  // returns false.
  void scan(std::string_view prefix, std::string_view after,
            base::UniqueFunction<bool(const Entry&)> visit) const;
  std::size_t count(std::string_view prefix) const;

 private:
  std::shared_ptr<const Tree> tree_;
};

struct Change {
  enum class Type : unsigned char { added, modified, removed };
  Type type = Type::added;
  std::string key;
  base::SharedBytes value;     // removed: the last value
  base::SharedBytes previous;  // modified and removed: the value before
  Revision revision = 0;
};
using ChangeRef = std::shared_ptr<const Change>;

// One reader of the ring, at its own position. Thread-compatible; resumes on its own executor.
class Subscription {
 public:
  virtual ~Subscription() = default;
  struct Batch {
    std::vector<ChangeRef> changes;  // those under the prefix, in order; may be empty
    Revision upto = 0;               // everything up to here has been seen
  };
  // Waits for changes after the position. Returns at most `limit`; what came meanwhile comes
  // together. Errors: expired (fell behind the ring; list again), cancelled. An empty batch after
  // nudge().
  virtual base::Task<base::Result<Batch>> next(std::size_t limit, base::CancelToken cancel) = 0;
  // Lets the waiting (or the coming) next() return at once, with an empty batch when there is
  // nothing: for a bookmark at `upto`, which also moves over changes under other prefixes. Changes
  // under other prefixes wake nobody. Thread-safe.
  virtual void nudge() = 0;
  // What `upto` of an empty batch would be now. May be called while next() waits. Thread-safe.
  virtual Revision position() const = 0;
};

struct HubOptions {
  std::size_t ring_bytes_max =
      2u << 20;  // values shared with the index count only while they differ
  std::size_t ring_events_max = 8192;
};

// Thread-safe.
class Hub {
 public:
  virtual ~Hub() = default;
  virtual Snapshot snapshot() const = 0;
  // Waits until `revision` is visible. Errors: deadline_exceeded, cancelled.
  virtual base::Task<base::Result<Snapshot>> at_least(Revision revision,
                                                      base::CancelToken cancel) = 0;
  // Changes under `prefix` after `from` (exclusive). Errors: expired when the ring starts later.
  virtual base::Result<std::unique_ptr<Subscription>> subscribe(std::string prefix,
                                                                Revision from) = 0;
  // Changes under `prefix` after `from`, all that there are now, without waiting. Errors: expired
  // as with subscribe().
  virtual base::Result<Subscription::Batch> changes_after(std::string_view prefix,
                                                          Revision from) const = 0;
  // The revision of the latest change under `prefix` from now on, 0 before one. It has moved before
  // at_least() shows that change to its writer. For caches that are made anew when they are asked.
  virtual std::shared_ptr<const std::atomic<Revision>> track(std::string prefix) = 0;
  // The oldest revision from which subscribe() still works.
  virtual Revision oldest() const = 0;
};

// Loads the store, becomes its event sink. The store outlives the hub.
base::Result<std::unique_ptr<Hub>> make_hub(store::Store& store, const HubOptions& options,
                                            std::vector<store::DamagedRecord>* damaged);

}  // namespace skiff::watch
