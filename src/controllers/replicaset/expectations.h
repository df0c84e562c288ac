// What a controller waits to see in its informer before it counts again: without it a slow watch
// would make it create pods twice.
#pragma once

#include <skiff/base/clock.h>

#include <set>
#include <string>
#include <unordered_map>

namespace skiff::controllers {

// Thread-compatible.
class Expectations {
 public:
  explicit Expectations(const base::Clock& clock) : clock_(clock) {}

  void expect_creations(const std::string& key, int count);
  void expect_deletions(const std::string& key, std::set<std::string> uids);
  void creation_observed(const std::string& key);
  void deletion_observed(const std::string& key, const std::string& uid);
  // Zero: all seen, never asked for, or so long ago that the informer is believed again. Else until
  // then: what came and went while nobody watched is never seen, and nothing else may make the
  // controller look again.
  base::Duration wait(const std::string& key) const;
  void forget(const std::string& key) { entries_.erase(key); }

 private:
  struct Entry {
    int creations = 0;
    std::set<std::string> deletions;
    base::MonotonicTime since;
  };
  const base::Clock& clock_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace skiff::controllers
