// How long the next group waits for those that the last one answered.
//
// Clients that ask again when they are answered would make two groups that take turns: one waits in
// the queue while the other is synced, and each sync carries half. A wait after a slow commit
// brings them together: a cycle of one and a half syncs then carries what two syncs carried.
#pragma once

#include "store/limits.h"

#include <algorithm>

namespace skiff::store {

// Thread-compatible.
class Gathering {
 public:
  // A group of `answered` was committed, and `waiting` came meanwhile.
  void note_commit(std::size_t answered, std::size_t waiting, base::Duration took,
                   base::MonotonicTime now) {
    expected_ = answered + waiting;
    base::Duration patience = std::min(took / kGatherPartOfCommit, kGatherMax);
    until_ns_ = took < kGatherCommitMin ? 0 : now.ns + patience.count();
  }
  // How long to wait for more than `waiting`; zero when all are there or the time is over.
  base::Duration patience(std::size_t waiting, base::MonotonicTime now) const {
    if (waiting >= expected_ || now.ns >= until_ns_) return base::Duration(0);
    return base::Duration(until_ns_ - now.ns);
  }
  bool is_complete(std::size_t waiting) const { return waiting >= expected_; }

 private:
  std::size_t expected_ = 0;
  std::int64_t until_ns_ = 0;
};

}  // namespace skiff::store
