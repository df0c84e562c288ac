// What must hold of the containers on boards.
#pragma once

#include <skiff/base/clock.h>

#include <map>
#include <string>

namespace skiff::sim {

class SimBoard;
class SimCluster;

// Empty when the API says of the board's pods what runs there, and nothing else runs there; else
// what is not so, the first found.
std::string compare_status(SimCluster& cluster, SimBoard& board);

// Looks for containers of pods that are gone, as time passes. Loop-only.
class ContainerWatch {
 public:
  // Some seconds after the last look at most.
  void look(SimCluster& cluster);
  // The first container that ran on for longer than the grace of its pod; else empty.
  const std::string& violation() const { return violation_; }

 private:
  void look_at(SimBoard& board, base::MonotonicTime now);

  // Since when the agent knows that a pod has to end, by board and uid.
  std::map<std::pair<std::string, std::string>, base::MonotonicTime> unwanted_since_;
  std::map<std::string, base::MonotonicTime> excused_at_;  // by board
  base::MonotonicTime looked_at_;
  std::string violation_;
};

}  // namespace skiff::sim
