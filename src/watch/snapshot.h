// What a Snapshot holds.
#pragma once

#include "watch/tree.h"

#include <skiff/watch/hub.h>

namespace skiff::watch {

// Immutable.
class Snapshot::Tree {
 public:
  Tree(Root root, Revision revision) : root_(std::move(root)), revision_(revision) {}
  const Root& root() const { return root_; }
  Revision revision() const { return revision_; }

 private:
  Root root_;
  Revision revision_;
};

}  // namespace skiff::watch
