#include "scheduler/plan_placement.h"

#include <skiff/base/strings.h>

#include <algorithm>

#include "scheduler/limits.h"
#include "scheduler/scores.h"

namespace skiff::scheduler {

std::size_t feasible_nodes_wanted(std::size_t nodes) {
  if (nodes <= kFeasibleNodesMin) return nodes;
  std::size_t reduced = nodes / 125;
  std::size_t percent = reduced + kFeasiblePercentMin >= 50 ? kFeasiblePercentMin : 50 - reduced;
  return std::max(kFeasibleNodesMin, nodes * percent / 100);
}

namespace {

// The rejections of all nodes, counted by reason.
struct Diagnosis {
  std::map<std::string, int> reasons;
  int resolvable = 0, unresolvable = 0;
  std::uint32_t plugins = 0;

  void add(const Verdict& verdict) {
    for (const std::string& reason : verdict.reasons) ++reasons[reason];
    ++(verdict.unresolvable ? unresolvable : resolvable);
    plugins |= plugin_bit(verdict.plugin);
  }
};

std::string count_list(const std::map<std::string, int>& counts) {
  std::vector<std::string> parts;
  for (const auto& [reason, count] : counts)
    if (count > 0) parts.push_back(base::concat(count, ' ', reason));
  std::sort(parts.begin(), parts.end());
  return base::join(parts, ", ");
}

std::string preemption_sentence(const PodFacts& pod, std::size_t nodes,
                                const Diagnosis& diagnosis) {
  if (pod.never_preempts) return "preemption: not eligible due to preemptionPolicy=Never.";
  std::map<std::string, int> reasons = {
      {"No preemption victims found for incoming pod", diagnosis.resolvable},
      {"Preemption is not helpful for scheduling", diagnosis.unresolvable}};
  return base::concat("preemption: 0/", nodes, " nodes are available: ", count_list(reasons), ".");
}

std::string failure_message(const PodFacts& pod, std::size_t nodes, const Diagnosis& diagnosis,
                            std::string_view pre_filter) {
  if (nodes == 0) return "no nodes available to schedule pods";
  std::string why = pre_filter.empty() ? count_list(diagnosis.reasons) : std::string(pre_filter);
  return base::concat("0/", nodes, " nodes are available: ", why, ". ",
                      preemption_sentence(pod, nodes, diagnosis));
}

const NodeFacts& choose(const std::vector<const NodeFacts*>& nodes,
                        const std::vector<std::int64_t>& scores, base::Random& random) {
  std::size_t best = 0;
  std::uint64_t equals = 1;
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    if (scores[i] > scores[best]) {
      best = i;
      equals = 1;
    } else if (scores[i] == scores[best] && random.below(++equals) == 0) {
      best = i;
    }
  }
  return *nodes[best];
}

Placement refuse_claims(const Cluster& cluster, const PodFacts& pod) {
  Placement placement;
  Diagnosis diagnosis;
  diagnosis.unresolvable = static_cast<int>(cluster.nodes().size());
  placement.message = failure_message(
      pod, cluster.nodes().size(), diagnosis,
      base::concat("persistentvolumeclaim ", base::quote(pod.claims[0]), " not found"));
  placement.rejected_by = plugin_bit(Plugin::volumes);
  return placement;
}

}  // namespace

Placement plan_placement(const Cluster& cluster, const PodFacts& pod, std::size_t start,
                         base::Random& random) {
  const auto& nodes = cluster.nodes();
  if (!pod.claims.empty()) return refuse_claims(cluster, pod);
  Placement placement;
  Diagnosis diagnosis;
  TopologyCounts topology(cluster, pod);
  std::vector<const NodeFacts*> feasible;
  const std::size_t wanted = feasible_nodes_wanted(nodes.size());
  feasible.reserve(std::min(wanted, nodes.size()));
  std::size_t looked_at = 0;
  for (; looked_at < nodes.size() && feasible.size() < wanted; ++looked_at) {
    const NodeFacts& node = nodes[(start + looked_at) % nodes.size()];
    Verdict verdict = filter_node(pod, node);
    if (verdict.is_ok()) verdict = topology.filter(node);
    if (verdict.is_ok())
      feasible.push_back(&node);
    else
      diagnosis.add(verdict);
  }
  placement.next_start = nodes.empty() ? 0 : (start + looked_at) % nodes.size();
  if (feasible.empty()) {
    placement.message = failure_message(pod, nodes.size(), diagnosis, "");
    placement.rejected_by = diagnosis.plugins;
    return placement;
  }
  if (feasible.size() == 1) {
    placement.node = feasible[0]->name;
    return placement;
  }
  placement.node = choose(feasible, score_nodes(cluster, pod, topology, feasible), random).name;
  return placement;
}

}  // namespace skiff::scheduler
