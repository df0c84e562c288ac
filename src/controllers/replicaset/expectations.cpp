#include "controllers/replicaset/expectations.h"

#include "controllers/limits.h"

#include <algorithm>

namespace skiff::controllers {

void Expectations::expect_creations(const std::string& key, int count) {
  Entry& entry = entries_[key];
  entry = Entry();
  entry.creations = count;
  entry.since = clock_.monotonic();
}

void Expectations::expect_deletions(const std::string& key, std::set<std::string> uids) {
  Entry& entry = entries_[key];
  entry = Entry();
  entry.deletions = std::move(uids);
  entry.since = clock_.monotonic();
}

void Expectations::creation_observed(const std::string& key) {
  auto found = entries_.find(key);
  if (found != entries_.end() && found->second.creations > 0) --found->second.creations;
}

void Expectations::deletion_observed(const std::string& key, const std::string& uid) {
  auto found = entries_.find(key);
  if (found != entries_.end()) found->second.deletions.erase(uid);
}

base::Duration Expectations::wait(const std::string& key) const {
  auto found = entries_.find(key);
  if (found == entries_.end()) return {};
  const Entry& entry = found->second;
  if (entry.creations == 0 && entry.deletions.empty()) return {};
  return std::max(entry.since + kExpectationsTimeout - clock_.monotonic(), base::Duration::zero());
}

}  // namespace skiff::controllers
