// Looks at the nodes' Leases and conditions from outside, as time passes.
#pragma once

#include <skiff/base/clock.h>

#include <map>
#include <string>

namespace skiff::sim {

class SimCluster;

// Loop-only.
class LeaseWatch {
 public:
  // The control plane comes back to the server in its own time, and does not see Leases before.
  void note_restart(base::MonotonicTime now) { restarted_at_ = now; }
  // Some seconds after the last look at most.
  void look(SimCluster& cluster);
  // The first: a node that was lost before its time, or a Lease that nobody renewed while the
  // node's connection was good; else empty.
  const std::string& violation() const { return violation_; }

 private:
  struct Seen {
    std::string lease_version;
    base::MonotonicTime lease_changed_at, disturbed_at;
    bool was_lost = true;
  };
  void judge(const std::string& node, Seen& seen, bool is_lost, base::MonotonicTime now);

  std::map<std::string, Seen> nodes_;
  base::MonotonicTime restarted_at_, looked_at_;
  std::string violation_;
};

}  // namespace skiff::sim
