// Pod affinity, anti-affinity and topology spread: constraints between pods. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "scheduler/filters.h"

namespace skiff::scheduler {

// What the placed pods mean for one incoming pod, counted once per placement.
class TopologyCounts {
 public:
  // Costs nothing for pods without such constraints in clusters without guarded pods.
  TopologyCounts(const Cluster& cluster, const PodFacts& pod);
  Verdict filter(const NodeFacts& node) const;
  // Higher is better; not normalised.
  std::int64_t affinity_score(const NodeFacts& node) const;
  // Lower is better: matching pods in the node's domains of ScheduleAnyway constraints.
  std::int64_t spread_score(const NodeFacts& node) const;
  bool scores_affinity() const {
    return !pod_.preferred_affinity.empty() || !pod_.preferred_anti_affinity.empty();
  }
  bool scores_spread() const;

 private:
  using Domains = std::map<std::string, std::int64_t, std::less<>>;  // label value to pods
  std::int64_t count_at(const Domains& domains, const NodeFacts& node,
                        const std::string& topology_key) const;
  void count_terms(const Cluster& cluster, const std::vector<PodTerm>& terms,
                   std::vector<Domains>& counts) const;
  void count_spread(const Cluster& cluster);
  void count_guarded(const Cluster& cluster);
  Verdict filter_spread(const NodeFacts& node) const;
  Verdict filter_affinity(const NodeFacts& node) const;

  const PodFacts& pod_;
  std::vector<Domains> affinity_, anti_affinity_, preferred_, preferred_anti_, spread_;
  std::map<std::pair<std::string, std::string>, int> guarded_;  // (topology key, value)
  bool any_affinity_match_ = false;
};

}  // namespace skiff::scheduler
