#include "scheduler/filters.h"

#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::scheduler {

namespace {

bool tolerates(const PodFacts& pod, const Taint& taint) {
  return std::any_of(pod.tolerations.begin(), pod.tolerations.end(),
                     [&](const Toleration& toleration) { return toleration.tolerates(taint); });
}

bool is_untolerated(const PodFacts& pod, const NodeFacts& node) {
  for (const Taint& taint : node.taints)
    if (taint.effect != TaintEffect::prefer_no_schedule && !tolerates(pod, taint)) return true;
  return false;
}

bool tolerates_unschedulable(const PodFacts& pod) {
  static const Taint kUnschedulable{"node.kubernetes.io/unschedulable", "",
                                    TaintEffect::no_schedule};
  return tolerates(pod, kUnschedulable);
}

bool matches_affinity(const PodFacts& pod, const NodeFacts& node) {
  for (const auto& [key, value] : pod.node_selector) {
    const std::string* label = node.labels.find(key);
    if (label == nullptr || *label != value) return false;
  }
  if (!pod.required_terms) return true;
  return std::any_of(pod.required_terms->begin(), pod.required_terms->end(),
                     [&](const NodeTerm& term) { return term.matches(node.labels, node.name); });
}

bool has_free_ports(const PodFacts& pod, const NodeFacts& node) {
  for (const HostPort& wanted : pod.use.ports)
    for (const HostPort& used : node.ports)
      if (wanted.collides(used)) return false;
  return true;
}

Verdict reject(Plugin plugin, std::string reason, bool unresolvable) {
  Verdict verdict;
  verdict.plugin = plugin;
  verdict.reasons.push_back(std::move(reason));
  verdict.unresolvable = unresolvable;
  return verdict;
}

Verdict check_fit(const PodFacts& pod, const NodeFacts& node) {
  Verdict verdict;
  if (node.pods + 1 > node.allowed_pods) {
    verdict.plugin = Plugin::resources_fit;
    verdict.reasons.emplace_back("Too many pods");
  }
  auto check = [&](std::string_view name, std::int64_t wanted, std::int64_t used,
                   std::int64_t total) {
    if (wanted <= 0 || wanted <= total - used) return;
    verdict.plugin = Plugin::resources_fit;
    verdict.reasons.push_back(base::concat("Insufficient ", name));
    verdict.unresolvable |= wanted > total;
  };
  const Amounts& wanted = pod.use.requests;
  const Amounts& used = node.requested;
  const Amounts& total = node.allocatable;
  check("cpu", wanted.milli_cpu, used.milli_cpu, total.milli_cpu);
  check("memory", wanted.memory, used.memory, total.memory);
  check("ephemeral-storage", wanted.ephemeral_storage, used.ephemeral_storage,
        total.ephemeral_storage);
  for (const auto& amount : wanted.extended)
    check(amount.name, amount.value, used.extended_value(amount.name),
          total.extended_value(amount.name));
  return verdict;
}

}  // namespace

Verdict filter_node(const PodFacts& pod, const NodeFacts& node) {
  if (node.unschedulable && !tolerates_unschedulable(pod))
    return reject(Plugin::node_unschedulable, "node(s) were unschedulable", true);
  if (!pod.required_node.empty() && pod.required_node != node.name)
    return reject(Plugin::node_name, "node(s) didn't match the requested node name", true);
  if (is_untolerated(pod, node))
    return reject(Plugin::taint_toleration, "node(s) had untolerated taint(s)", true);
  if (!matches_affinity(pod, node))
    return reject(Plugin::node_affinity, "node(s) didn't match Pod's node affinity/selector", true);
  if (!has_free_ports(pod, node))
    return reject(Plugin::node_ports, "node(s) didn't have free ports for the requested pod ports",
                  false);
  return check_fit(pod, node);
}

}  // namespace skiff::scheduler
