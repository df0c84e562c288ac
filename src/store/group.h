// One commit group: decides which writes go through, at which revisions, and what that leaves of
// every key. Nothing is changed while it is planned, so a group that the disk refuses is dropped.
#pragma once

#include "store/overlay.h"

#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace skiff::store {

// What stands below a group. Errors come from the disk.
class GroupBase {
 public:
  virtual ~GroupBase() = default;
  virtual base::Result<KeyState> state_of(std::string_view key) = 0;  // value may be left empty
  virtual base::Result<base::SharedBytes> value_of(std::string_view key) = 0;
  virtual bool is_relaxed_pending(std::string_view key) = 0;
};

struct GroupKey {
  KeyState state;
  Durability durability = Durability::volatile_;  // the strongest of its writes
};

// Thread-compatible.
class Group {
 public:
  // `writes` outlives the group. Revisions continue after `revision`.
  Group(GroupBase& below, Revision revision) : below_(below), revision_(revision) {}

  // Plans one more write. The revision, or why the write is refused.
  base::Result<Revision> add(const Write& write);

  Revision revision() const { return revision_; }
  std::vector<Event>& events() { return events_; }
  std::unordered_map<std::string_view, GroupKey>& keys() { return keys_; }

 private:
  base::Result<GroupKey*> key_of(const std::string& key);

  GroupBase& below_;
  Revision revision_;
  std::vector<Event> events_;
  std::unordered_map<std::string_view, GroupKey> keys_;
};

// "/<group>/<resource>/": the kind that a key belongs to.
std::string_view kind_prefix_of(std::string_view key);

}  // namespace skiff::store
