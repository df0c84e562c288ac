#include "controllers/deployment/plan_rollout.h"
#include "controllers/deployment/plan_revision.h"

#include <skiff/base/random.h>

#include <algorithm>
#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::controllers;

namespace {

// A rollout by the planner alone: pods become available, break and vanish at random.
struct Model {
  RolloutFacts facts;
  base::Random& random;

  std::int64_t replicas() const {
    std::int64_t total = facts.new_set->replicas;
    for (const auto& set : facts.old_sets) total += set.replicas;
    return total;
  }
  std::int64_t available() const {
    std::int64_t total = facts.new_set->available;
    for (const auto& set : facts.old_sets) total += set.available;
    return total;
  }
  ReplicaSetFacts& find(const std::string& name) {
    if (facts.new_set->name == name) return *facts.new_set;
    return *std::find_if(facts.old_sets.begin(), facts.old_sets.end(),
                         [&](const auto& set) { return set.name == name; });
  }
  // Scaling down takes unavailable pods first, as the ranking does.
  void apply(const ScaleSteps& steps) {
    for (const ScaleStep& step : steps) {
      ReplicaSetFacts& set = find(step.name);
      set.replicas = step.replicas;
      set.available = std::min(set.available, set.replicas);
    }
  }
  void make_some_available() {
    ReplicaSetFacts& set = *facts.new_set;
    std::int64_t pending = set.replicas - set.available;
    if (pending > 0) set.available += 1 + static_cast<std::int64_t>(random.below(pending));
  }
};

RolloutFacts random_facts(base::Random& random) {
  RolloutFacts facts;
  facts.replicas = 1 + static_cast<std::int64_t>(random.below(20));
  // One after the other: the order of arguments is the compiler's.
  const auto unavailable = static_cast<std::int64_t>(random.below(6));
  const auto surge = static_cast<std::int64_t>(random.below(6));
  FencePosts posts = resolve_fence_posts(surge, unavailable);
  facts.max_surge = posts.surge;
  facts.max_unavailable = std::min(posts.unavailable, facts.replicas);
  ReplicaSetFacts set;
  set.name = "new";
  set.created_ns = 100;
  facts.new_set = set;
  std::int64_t left = facts.replicas;
  for (int i = 0; left > 0; ++i) {
    ReplicaSetFacts old;
    old.name = "old-" + std::to_string(i);
    old.created_ns = i;
    old.replicas = 1 + static_cast<std::int64_t>(random.below(left));
    old.available = old.replicas;
    left -= old.replicas;
    facts.old_sets.push_back(old);
  }
  return facts;
}

}  // namespace

TEST_CASE("a rolling update never passes its fence posts and always ends") {
  auto random = base::seeded_random(42);
  for (int round = 0; round < 2000; ++round) {
    Model model{random_facts(*random), *random};
    const std::int64_t most = model.facts.replicas + model.facts.max_surge;
    const std::int64_t least = model.facts.replicas - model.facts.max_unavailable;
    int turns = 0;
    for (; turns < 500; ++turns) {
      ScaleSteps steps = plan_rolling_update(model.facts);
      model.apply(steps);
      REQUIRE(model.replicas() <= most);
      REQUIRE(model.available() >= least);
      if (steps.empty()) {
        bool done = model.facts.new_set->replicas == model.facts.replicas &&
                    model.replicas() == model.facts.replicas;
        if (done) break;
        // Nothing to do means that something is still starting.
        REQUIRE(model.facts.new_set->available < model.facts.new_set->replicas);
      }
      if (random->below(2) == 0 || steps.empty()) model.make_some_available();
    }
    REQUIRE(turns < 500);
  }
}

TEST_CASE("broken old pods are replaced first and do not block a rollout") {
  auto random = base::seeded_random(43);
  for (int round = 0; round < 1000; ++round) {
    Model model{random_facts(*random), *random};
    for (auto& set : model.facts.old_sets)
      set.available = static_cast<std::int64_t>(random->below(set.replicas + 1));
    const std::int64_t most = model.facts.replicas + model.facts.max_surge;
    std::int64_t least =
        std::min(model.available(), model.facts.replicas - model.facts.max_unavailable);
    bool done = false;
    for (int turn = 0; turn < 500 && !done; ++turn) {
      ScaleSteps steps = plan_rolling_update(model.facts);
      model.apply(steps);
      REQUIRE(model.replicas() <= most);
      REQUIRE(model.available() >= least);
      done = steps.empty() && model.facts.new_set->replicas == model.facts.replicas &&
             model.replicas() == model.facts.replicas;
      if (steps.empty()) model.make_some_available();
    }
    REQUIRE(done);
  }
}

TEST_CASE("scaling during a rollout keeps the total and no set goes below zero") {
  auto random = base::seeded_random(44);
  for (int round = 0; round < 2000; ++round) {
    RolloutFacts facts = random_facts(*random);
    std::int64_t before = facts.replicas;
    facts.new_set->replicas = facts.max_surge;
    if (facts.max_surge == 0) continue;  // plain scaling has its own test
    auto annotate = [&](ReplicaSetFacts& set) {
      set.desired = before;
      set.max_replicas = before + facts.max_surge;
    };
    annotate(*facts.new_set);
    for (auto& set : facts.old_sets) annotate(set);
    facts.status_replicas = before;
    facts.replicas = static_cast<std::int64_t>(random->below(40));
    if (facts.replicas == before) continue;
    CHECK(is_scaling(facts));
    ScaleSteps steps = plan_scale(facts);
    std::int64_t total = 0;
    bool has_empty = false;
    for (const ScaleStep& step : steps) {
      REQUIRE(step.replicas >= 0);
      total += step.replicas;
      has_empty = has_empty || step.replicas == 0;
    }
    const auto wanted = facts.replicas > 0 ? facts.replicas + facts.max_surge : 0;
    // What rounding leaves over is taken from the largest set, which may have less than that; the
    // rollout takes the rest from the old sets.
    REQUIRE((total == wanted || (total > wanted && has_empty)));
  }
}

TEST_CASE("a lone set is scaled straight to what is asked for") {
  RolloutFacts facts;
  facts.replicas = 5;
  ReplicaSetFacts set;
  set.name = "only";
  set.replicas = 2;
  set.desired = 2;
  facts.new_set = set;
  CHECK(is_scaling(facts));
  CHECK(plan_scale(facts) == ScaleSteps{{"only", 5}});
  facts.new_set->replicas = 5;
  CHECK(plan_scale(facts).empty());
}

TEST_CASE("zero surge and zero unavailable would never move: one may be missing") {
  CHECK(resolve_fence_posts(0, 0).unavailable == 1);
  CHECK(resolve_fence_posts(1, 0).unavailable == 0);
}

TEST_CASE("the template hash ignores the order of members and its own label") {
  auto parse = [](const char* text) { return *codec::parse_json(text); };
  Json a = parse(R"({"metadata":{"labels":{"x":"1","y":"2"}},"spec":{"a":1,"b":[1,2]}})");
  Json b = parse(R"({"spec":{"b":[1,2],"a":1},"metadata":{"labels":{"y":"2","x":"1"}}})");
  Json labelled = a;
  labelled["metadata"]["labels"].set("pod-template-hash", "abc");
  CHECK(template_hash(a, 0) == template_hash(b, 0));
  CHECK(template_hash(a, 0) == template_hash(labelled, 0));
  CHECK(is_same_template(b, labelled));
  CHECK(template_hash(a, 0) != template_hash(a, 1));
  Json other = parse(R"({"metadata":{"labels":{"x":"1","y":"2"}},"spec":{"a":1,"b":[2,1]}})");
  CHECK(template_hash(a, 0) != template_hash(other, 0));
  CHECK_FALSE(is_same_template(a, other));
}
