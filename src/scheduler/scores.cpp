#include "scheduler/scores.h"

#include <algorithm>
#include <cmath>

#include "scheduler/limits.h"

namespace skiff::scheduler {

namespace {

std::int64_t free_share(std::int64_t used, std::int64_t total) {
  if (total <= 0 || used > total) return 0;
  return (total - used) * kScoreMax / total;
}

double fraction(std::int64_t used, std::int64_t total) {
  if (total <= 0) return 1;
  return std::min(1.0, static_cast<double>(used) / static_cast<double>(total));
}

std::int64_t untolerated_preferences(const PodFacts& pod, const NodeFacts& node) {
  std::int64_t count = 0;
  for (const Taint& taint : node.taints) {
    if (taint.effect != TaintEffect::prefer_no_schedule) continue;
    bool tolerated = std::any_of(pod.tolerations.begin(), pod.tolerations.end(),
                                 [&](const auto& t) { return t.tolerates(taint); });
    count += !tolerated;
  }
  return count;
}

std::int64_t preferred_weight(const PodFacts& pod, const NodeFacts& node) {
  std::int64_t sum = 0;
  for (const NodeTerm& term : pod.preferred_terms)
    if (term.matches(node.labels, node.name)) sum += term.weight;
  return sum;
}

// Adds the values brought to 0…100 times their weight; `reverse` where less is better.
void add_normalised(std::vector<std::int64_t>& total, const std::vector<std::int64_t>& values,
                    std::int64_t weight, bool reverse) {
  auto [low, high] = std::minmax_element(values.begin(), values.end());
  std::int64_t least = std::min<std::int64_t>(*low, 0), most = *high;
  if (most == least) {
    if (reverse)
      for (auto& score : total) score += weight * kScoreMax;
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int64_t share = (values[i] - least) * kScoreMax / (most - least);
    total[i] += weight * (reverse ? kScoreMax - share : share);
  }
}

}  // namespace

std::int64_t least_allocated_score(const PodFacts& pod, const NodeFacts& node) {
  std::int64_t cpu =
      free_share(node.scored_milli_cpu + pod.use.scored_milli_cpu, node.allocatable.milli_cpu);
  std::int64_t memory =
      free_share(node.scored_memory + pod.use.scored_memory, node.allocatable.memory);
  return (cpu + memory) / 2;
}

std::int64_t balanced_allocation_score(const PodFacts& pod, const NodeFacts& node) {
  double cpu =
      fraction(node.requested.milli_cpu + pod.use.requests.milli_cpu, node.allocatable.milli_cpu);
  double memory =
      fraction(node.requested.memory + pod.use.requests.memory, node.allocatable.memory);
  double deviation = std::fabs(cpu - memory) / 2;
  return static_cast<std::int64_t>((1 - deviation) * static_cast<double>(kScoreMax));
}

std::int64_t image_locality_score(const Cluster& cluster, const PodFacts& pod,
                                  const NodeFacts& node) {
  if (node.images.empty() || pod.images.empty() || cluster.nodes().empty()) return 0;
  std::int64_t sum = 0;
  for (const std::string& image : pod.images) {
    auto found = std::lower_bound(node.images.begin(), node.images.end(), image,
                                  [](const auto& a, const auto& b) { return a.first < b; });
    if (found == node.images.end() || found->first != image) continue;
    // An image that is on few nodes must not draw every pod to them.
    double spread = static_cast<double>(cluster.nodes_with_image(image)) /
                    static_cast<double>(cluster.nodes().size());
    sum += static_cast<std::int64_t>(static_cast<double>(found->second) * spread);
  }
  std::int64_t most = kImageBytesMax * static_cast<std::int64_t>(pod.images.size());
  sum = std::clamp(sum, kImageBytesMin, most);
  return kScoreMax * (sum - kImageBytesMin) / (most - kImageBytesMin);
}

std::vector<std::int64_t> score_nodes(const Cluster& cluster, const PodFacts& pod,
                                      const TopologyCounts& topology,
                                      const std::vector<const NodeFacts*>& nodes) {
  constexpr std::int64_t kTaintWeight = 3, kAffinityWeight = 2, kSpreadWeight = 2;
  std::vector<std::int64_t> total(nodes.size()), values(nodes.size());
  bool any_preference_taint = false;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const NodeFacts& node = *nodes[i];
    total[i] = least_allocated_score(pod, node) + balanced_allocation_score(pod, node) +
               image_locality_score(cluster, pod, node);
    values[i] = node.taints.empty() ? 0 : untolerated_preferences(pod, node);
    any_preference_taint |= values[i] > 0;
  }
  if (any_preference_taint) add_normalised(total, values, kTaintWeight, true);
  auto add = [&](auto&& value_of, std::int64_t weight, bool reverse) {
    for (std::size_t i = 0; i < nodes.size(); ++i) values[i] = value_of(*nodes[i]);
    add_normalised(total, values, weight, reverse);
  };
  if (!pod.preferred_terms.empty())
    add([&](const NodeFacts& node) { return preferred_weight(pod, node); }, kAffinityWeight, false);
  if (topology.scores_affinity())
    add([&](const NodeFacts& node) { return topology.affinity_score(node); }, kAffinityWeight,
        false);
  if (topology.scores_spread())
    add([&](const NodeFacts& node) { return topology.spread_score(node); }, kSpreadWeight, true);
  return total;
}

}  // namespace skiff::scheduler
