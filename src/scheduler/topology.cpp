#include "scheduler/topology.h"

#include <algorithm>

namespace skiff::scheduler {

namespace {

Verdict reject(Plugin plugin, const char* reason, bool unresolvable) {
  Verdict verdict;
  verdict.plugin = plugin;
  verdict.reasons.emplace_back(reason);
  verdict.unresolvable = unresolvable;
  return verdict;
}

// Nodes that the pod could not run on anyway do not count as domains.
bool is_eligible(const PodFacts& pod, const NodeFacts& node) {
  for (const auto& [key, value] : pod.node_selector) {
    const std::string* label = node.labels.find(key);
    if (label == nullptr || *label != value) return false;
  }
  if (!pod.required_terms) return true;
  return std::any_of(pod.required_terms->begin(), pod.required_terms->end(),
                     [&](const NodeTerm& term) { return term.matches(node.labels, node.name); });
}

}  // namespace

TopologyCounts::TopologyCounts(const Cluster& cluster, const PodFacts& pod) : pod_(pod) {
  if (!cluster.guarded_pods().empty()) count_guarded(cluster);
  count_terms(cluster, pod.affinity, affinity_);
  count_terms(cluster, pod.anti_affinity, anti_affinity_);
  count_terms(cluster, pod.preferred_affinity, preferred_);
  count_terms(cluster, pod.preferred_anti_affinity, preferred_anti_);
  for (const Domains& domains : affinity_) any_affinity_match_ |= !domains.empty();
  if (!pod.spread.empty()) count_spread(cluster);
}

void TopologyCounts::count_terms(const Cluster& cluster, const std::vector<PodTerm>& terms,
                                 std::vector<Domains>& counts) const {
  if (terms.empty()) return;
  counts.resize(terms.size());
  for (const auto& [key, placed] : cluster.pods()) {
    const NodeFacts* node = cluster.find_node(placed.node);
    if (node == nullptr) continue;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      const std::string* value = node->labels.find(terms[i].topology_key);
      if (value != nullptr && terms[i].matches(placed.namespace_name, placed.labels))
        ++counts[i][*value];
    }
  }
}

// Placed pods that keep others out of their domains.
void TopologyCounts::count_guarded(const Cluster& cluster) {
  for (const auto& [key, placed] : cluster.guarded_pods()) {
    const NodeFacts* node = cluster.find_node(placed->node);
    if (node == nullptr) continue;
    for (const PodTerm& term : placed->anti_affinity) {
      const std::string* value = node->labels.find(term.topology_key);
      if (value != nullptr && term.matches(pod_.namespace_name, pod_.labels))
        ++guarded_[{term.topology_key, *value}];
    }
  }
}

void TopologyCounts::count_spread(const Cluster& cluster) {
  spread_.resize(pod_.spread.size());
  for (std::size_t i = 0; i < pod_.spread.size(); ++i)
    for (const NodeFacts& node : cluster.nodes()) {
      const std::string* value = node.labels.find(pod_.spread[i].topology_key);
      if (value != nullptr && is_eligible(pod_, node)) spread_[i].emplace(*value, 0);
    }
  for (const auto& [key, placed] : cluster.pods()) {
    if (placed.namespace_name != pod_.namespace_name) continue;
    const NodeFacts* node = cluster.find_node(placed.node);
    if (node == nullptr) continue;
    for (std::size_t i = 0; i < pod_.spread.size(); ++i) {
      const std::string* value = node->labels.find(pod_.spread[i].topology_key);
      if (value == nullptr || !pod_.spread[i].selector.matches(placed.labels)) continue;
      auto domain = spread_[i].find(*value);
      if (domain != spread_[i].end()) ++domain->second;
    }
  }
}

std::int64_t TopologyCounts::count_at(const Domains& domains, const NodeFacts& node,
                                      const std::string& topology_key) const {
  const std::string* value = node.labels.find(topology_key);
  if (value == nullptr) return 0;
  auto found = domains.find(*value);
  return found == domains.end() ? 0 : found->second;
}

Verdict TopologyCounts::filter_spread(const NodeFacts& node) const {
  for (std::size_t i = 0; i < pod_.spread.size(); ++i) {
    const SpreadConstraint& constraint = pod_.spread[i];
    if (!constraint.required) continue;
    if (node.labels.find(constraint.topology_key) == nullptr)
      return reject(Plugin::topology_spread,
                    "node(s) didn't match pod topology spread constraints (missing required label)",
                    true);
    std::int64_t least = spread_[i].empty() ? 0 : spread_[i].begin()->second;
    for (const auto& [value, count] : spread_[i]) least = std::min(least, count);
    if (static_cast<std::int64_t>(spread_[i].size()) < constraint.min_domains) least = 0;
    std::int64_t self = constraint.selector.matches(pod_.labels) ? 1 : 0;
    std::int64_t here = count_at(spread_[i], node, constraint.topology_key);
    if (here + self - least > constraint.max_skew)
      return reject(Plugin::topology_spread, "node(s) didn't match pod topology spread constraints",
                    false);
  }
  return {};
}

Verdict TopologyCounts::filter_affinity(const NodeFacts& node) const {
  bool all = true;
  for (std::size_t i = 0; i < pod_.affinity.size(); ++i) {
    const std::string& topology_key = pod_.affinity[i].topology_key;
    if (node.labels.find(topology_key) == nullptr)
      return reject(Plugin::pod_affinity, "node(s) didn't match pod affinity rules", true);
    all &= count_at(affinity_[i], node, topology_key) > 0;
  }
  if (!all) {
    // The first of a group of pods that want to be together has nobody to join.
    bool is_first = !any_affinity_match_ &&
                    std::all_of(pod_.affinity.begin(), pod_.affinity.end(), [&](const auto& term) {
                      return term.matches(pod_.namespace_name, pod_.labels);
                    });
    if (!is_first)
      return reject(Plugin::pod_affinity, "node(s) didn't match pod affinity rules", true);
  }
  for (std::size_t i = 0; i < pod_.anti_affinity.size(); ++i)
    if (count_at(anti_affinity_[i], node, pod_.anti_affinity[i].topology_key) > 0)
      return reject(Plugin::pod_affinity, "node(s) didn't match pod anti-affinity rules", false);
  for (const auto& [domain, count] : guarded_) {
    const std::string* value = node.labels.find(domain.first);
    if (value != nullptr && *value == domain.second)
      return reject(Plugin::pod_affinity,
                    "node(s) didn't satisfy existing pods anti-affinity rules", false);
  }
  return {};
}

Verdict TopologyCounts::filter(const NodeFacts& node) const {
  if (!pod_.spread.empty()) {
    Verdict verdict = filter_spread(node);
    if (!verdict.is_ok()) return verdict;
  }
  if (pod_.affinity.empty() && pod_.anti_affinity.empty() && guarded_.empty()) return {};
  return filter_affinity(node);
}

std::int64_t TopologyCounts::affinity_score(const NodeFacts& node) const {
  std::int64_t score = 0;
  for (std::size_t i = 0; i < preferred_.size(); ++i)
    score += pod_.preferred_affinity[i].weight *
             count_at(preferred_[i], node, pod_.preferred_affinity[i].topology_key);
  for (std::size_t i = 0; i < preferred_anti_.size(); ++i)
    score -= pod_.preferred_anti_affinity[i].weight *
             count_at(preferred_anti_[i], node, pod_.preferred_anti_affinity[i].topology_key);
  return score;
}

bool TopologyCounts::scores_spread() const {
  return std::any_of(pod_.spread.begin(), pod_.spread.end(),
                     [](const auto& constraint) { return !constraint.required; });
}

std::int64_t TopologyCounts::spread_score(const NodeFacts& node) const {
  std::int64_t score = 0;
  for (std::size_t i = 0; i < pod_.spread.size(); ++i)
    if (!pod_.spread[i].required) score += count_at(spread_[i], node, pod_.spread[i].topology_key);
  return score;
}

}  // namespace skiff::scheduler
