// What is newer in memory than on disk: relaxed writes on their way to it, and volatile records.
#pragma once

#include <skiff/store/store.h>

#include <string>
#include <string_view>
#include <unordered_map>

namespace skiff::store {

// The current state of one key.
struct KeyState {
  bool present = false;  // false: removed
  bool on_disk = false;  // a row exists, older than this state or equal to it
  Revision revision = 0;
  base::SharedBytes value;  // of a removed key: the last value
};

// Thread-compatible.
class Overlay {
 public:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  using States = std::unordered_map<std::string, KeyState, Hash, std::equal_to<>>;

  // Relaxed, not yet on disk: removed keys stay as tombstones.
  States relaxed;
  // Volatile. A tombstone stays while a row is on disk.
  States volatile_records;

  const KeyState* find(std::string_view key) const {
    if (auto at = relaxed.find(key); at != relaxed.end()) return &at->second;
    if (auto at = volatile_records.find(key); at != volatile_records.end()) return &at->second;
    return nullptr;
  }
  void forget(std::string_view key) {
    if (auto at = relaxed.find(key); at != relaxed.end()) relaxed.erase(at);
    if (auto at = volatile_records.find(key); at != volatile_records.end())
      volatile_records.erase(at);
  }
};

}  // namespace skiff::store
