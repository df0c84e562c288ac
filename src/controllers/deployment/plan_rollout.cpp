#include "controllers/deployment/plan_rollout.h"

#include <algorithm>
#include <cmath>

namespace skiff::controllers {

namespace {

std::vector<const ReplicaSetFacts*> old_by_creation(const RolloutFacts& facts) {
  std::vector<const ReplicaSetFacts*> sets;
  for (const auto& set : facts.old_sets) sets.push_back(&set);
  std::sort(sets.begin(), sets.end(), [](const auto* a, const auto* b) {
    return std::pair(a->created_ns, a->name) < std::pair(b->created_ns, b->name);
  });
  return sets;
}

std::int64_t total_replicas(const RolloutFacts& facts) {
  std::int64_t total = facts.new_set ? facts.new_set->replicas : 0;
  for (const auto& set : facts.old_sets) total += set.replicas;
  return total;
}

std::int64_t total_available(const RolloutFacts& facts) {
  std::int64_t total = facts.new_set ? facts.new_set->available : 0;
  for (const auto& set : facts.old_sets) total += set.available;
  return total;
}

// Old sets go down in two passes: first replicas that are not available (they cost nothing), then
// as many available ones as may be missing.
ScaleSteps plan_old_down(const RolloutFacts& facts) {
  ScaleSteps steps;
  std::int64_t min_available = facts.replicas - facts.max_unavailable;
  std::int64_t new_unavailable = facts.new_set->replicas - facts.new_set->available;
  std::int64_t budget = total_replicas(facts) - min_available - new_unavailable;
  if (budget <= 0) return steps;

  auto sets = old_by_creation(facts);
  std::vector<std::int64_t> left;
  std::int64_t cleaned = 0;
  for (const auto* set : sets) {
    std::int64_t unhealthy = std::max<std::int64_t>(0, set->replicas - set->available);
    std::int64_t down = std::min(unhealthy, budget - cleaned);
    cleaned += down;
    left.push_back(set->replicas - down);
  }
  std::int64_t spare = total_available(facts) - min_available;
  std::int64_t taken = 0;
  for (std::size_t i = 0; i < sets.size() && spare > taken; ++i) {
    std::int64_t down = std::min(left[i], spare - taken);
    left[i] -= down;
    taken += down;
  }
  for (std::size_t i = 0; i < sets.size(); ++i)
    if (left[i] != sets[i]->replicas) steps.push_back({sets[i]->name, left[i]});
  return steps;
}

}  // namespace

FencePosts resolve_fence_posts(std::int64_t surge, std::int64_t unavailable) {
  if (surge == 0 && unavailable == 0) unavailable = 1;
  return {surge, unavailable};
}

std::int64_t plan_new_set_replicas(const RolloutFacts& facts) {
  if (!facts.rolling) return facts.replicas;
  std::int64_t present = facts.new_set ? facts.new_set->replicas : 0;
  std::int64_t room = facts.replicas + facts.max_surge - total_replicas(facts);
  if (room <= 0) return present;
  return present + std::min(room, facts.replicas - present);
}

ScaleSteps plan_rolling_update(const RolloutFacts& facts) {
  const ReplicaSetFacts& current = *facts.new_set;
  std::int64_t wanted = facts.replicas;
  if (current.replicas < facts.replicas) wanted = plan_new_set_replicas(facts);
  if (wanted != current.replicas) return {{current.name, wanted}};
  return plan_old_down(facts);
}

ScaleSteps plan_recreate_down(const RolloutFacts& facts) {
  ScaleSteps steps;
  for (const auto* set : old_by_creation(facts))
    if (set->replicas > 0) steps.push_back({set->name, 0});
  return steps;
}

bool is_scaling(const RolloutFacts& facts) {
  auto differs = [&](const ReplicaSetFacts& set) {
    return set.replicas > 0 && set.desired && *set.desired != facts.replicas;
  };
  if (facts.new_set && differs(*facts.new_set)) return true;
  return std::any_of(facts.old_sets.begin(), facts.old_sets.end(), differs);
}

namespace {

std::vector<const ReplicaSetFacts*> active_sets(const RolloutFacts& facts) {
  std::vector<const ReplicaSetFacts*> sets;
  for (const auto& set : facts.old_sets)
    if (set.replicas > 0) sets.push_back(&set);
  if (facts.new_set && facts.new_set->replicas > 0) sets.push_back(&*facts.new_set);
  return sets;
}

// The one set that takes every replica, null during a rollout.
const ReplicaSetFacts* active_or_latest(const RolloutFacts& facts) {
  auto active = active_sets(facts);
  if (active.size() == 1) return active[0];
  if (active.size() > 1) return nullptr;
  if (facts.new_set) return &*facts.new_set;
  auto old = old_by_creation(facts);
  return old.empty() ? nullptr : old.back();
}

bool is_saturated(const RolloutFacts& facts) {
  if (!facts.new_set) return false;
  const ReplicaSetFacts& set = *facts.new_set;
  return set.replicas == facts.replicas && set.desired == facts.replicas &&
         set.available == facts.replicas;
}

// The share of one set when the whole grows or shrinks from what it was at most before.
std::int64_t share_change(const RolloutFacts& facts, const ReplicaSetFacts& set) {
  if (facts.replicas == 0) return -set.replicas;
  std::int64_t max_now = facts.replicas + facts.max_surge;
  std::int64_t max_before = set.max_replicas.value_or(0);
  if (max_before == 0) max_before = facts.status_replicas;
  if (max_before == 0) return 0;
  double size = static_cast<double>(set.replicas * max_now) / static_cast<double>(max_before);
  return std::llround(size) - set.replicas;
}

ScaleSteps plan_proportional_scale(const RolloutFacts& facts) {
  auto sets = active_sets(facts);
  std::int64_t total = 0;
  for (const auto* set : sets) total += set->replicas;
  std::int64_t allowed = facts.replicas > 0 ? facts.replicas + facts.max_surge : 0;
  std::int64_t to_add = allowed - total;
  // Larger sets first; of equals the newer when growing, the older when shrinking.
  std::sort(sets.begin(), sets.end(), [&](const auto* a, const auto* b) {
    if (a->replicas != b->replicas) return a->replicas > b->replicas;
    auto key_a = std::pair(a->created_ns, a->name), key_b = std::pair(b->created_ns, b->name);
    return to_add > 0 ? key_a > key_b : key_a < key_b;
  });
  std::int64_t added = 0;
  ScaleSteps steps;
  for (const auto* set : sets) {
    std::int64_t change = 0;
    if (to_add != 0 && to_add != added) {
      std::int64_t rest = to_add - added;
      change = share_change(facts, *set);
      change = to_add > 0 ? std::min(change, rest) : std::max(change, rest);
    }
    added += change;
    steps.push_back({set->name, set->replicas + change});
  }
  if (!steps.empty() && to_add != 0)
    steps[0].replicas = std::max<std::int64_t>(0, steps[0].replicas + to_add - added);
  return steps;
}

}  // namespace

ScaleSteps plan_scale(const RolloutFacts& facts) {
  if (const ReplicaSetFacts* set = active_or_latest(facts)) {
    if (set->replicas == facts.replicas) return {};
    return {{set->name, facts.replicas}};
  }
  if (is_saturated(facts)) return plan_recreate_down(facts);
  if (facts.rolling) return plan_proportional_scale(facts);
  return {};
}

}  // namespace skiff::controllers
