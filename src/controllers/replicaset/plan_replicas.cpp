#include "controllers/replicaset/plan_replicas.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <bit>
#include <tuple>

namespace skiff::controllers {

namespace {

struct Rank {
  // Smaller goes first.
  bool assigned = false;
  int phase = 0;
  bool ready = false;
  std::int64_t deletion_cost = 0;
  int crowding = 0;            // negative count of pods beside it
  std::int64_t ready_age = 0;  // in powers of two, as upstream buckets it
  std::int64_t restarts = 0;   // negative
  std::int64_t created_age = 0;
  std::string_view name;

  auto key() const {
    return std::tuple(assigned, phase, ready, deletion_cost, crowding, ready_age, restarts,
                      created_age, name);
  }
};

std::int64_t bucket(std::optional<base::WallTime> since, base::WallTime now) {
  if (!since || *since >= now) return 0;
  return std::bit_width(static_cast<std::uint64_t>((now - *since).count()));
}

Rank rank_of(const Json& pod, int related, base::WallTime now) {
  Rank rank;
  rank.assigned = !pod.at({"spec", "nodeName"}).empty();
  std::string_view phase = pod.at({"status", "phase"}).as_string();
  rank.phase = phase == "Running" ? 2 : phase == "Unknown" ? 1 : 0;
  rank.ready = is_pod_ready(pod);
  rank.deletion_cost =
      base::parse_int(api::annotation(pod, "controller.kubernetes.io/pod-deletion-cost"))
          .value_or(0);
  rank.crowding = -related;
  if (rank.ready) rank.ready_age = bucket(ready_since(pod), now);
  std::int64_t restarts = 0;
  for (const Json& container : pod.at({"status", "containerStatuses"}).items())
    restarts = std::max(restarts, container["restartCount"].as_int());
  rank.restarts = -restarts;
  rank.created_age = bucket(time_at(pod, {"metadata", "creationTimestamp"}), now);
  rank.name = api::name_of(pod);
  return rank;
}

}  // namespace

ReplicaPlan plan_replicas(const Json& set, const std::vector<JsonPtr>& active,
                          const std::vector<int>& related_on_node, base::WallTime now) {
  ReplicaPlan plan;
  std::int64_t wanted = set.at({"spec", "replicas"}).as_int(1);
  auto present = static_cast<std::int64_t>(active.size());
  auto burst = static_cast<std::int64_t>(kBurstReplicasMax);
  if (present < wanted) plan.create = std::min(wanted - present, burst);
  if (present <= wanted) return plan;
  std::vector<std::pair<Rank, JsonPtr>> ranked;
  for (std::size_t i = 0; i < active.size(); ++i)
    ranked.emplace_back(rank_of(*active[i], related_on_node[i], now), active[i]);
  std::sort(ranked.begin(), ranked.end(),
            [](const auto& a, const auto& b) { return a.first.key() < b.first.key(); });
  std::int64_t excess = std::min(present - wanted, burst);
  for (std::int64_t i = 0; i < excess; ++i)
    plan.remove.push_back(ranked[static_cast<std::size_t>(i)].second);
  return plan;
}

Json make_replica_pod(const Json& set) {
  const Json& from = set.at({"spec", "template"});
  Json metadata = Json::object({{"generateName", base::concat(api::name_of(set), '-')},
                                {"namespace", api::namespace_of(set)}});
  for (std::string_view field : {"labels", "annotations", "finalizers"})
    if (!from.at({"metadata", field}).empty()) metadata.set(field, from.at({"metadata", field}));
  Json owner = controller_reference(set, "apps/v1", "ReplicaSet");
  metadata.set("ownerReferences", Json::array({std::move(owner)}));
  return Json::object({{"apiVersion", "v1"},
                       {"kind", "Pod"},
                       {"metadata", std::move(metadata)},
                       {"spec", from["spec"]}});
}

Json plan_replica_status(const Json& set, const std::vector<JsonPtr>& active,
                         const ReplicaFailure& failure, bool scaled, base::WallTime now,
                         const base::AgeOf& age_of) {
  const Json& template_labels = set.at({"spec", "template", "metadata", "labels"});
  std::int64_t min_ready = set.at({"spec", "minReadySeconds"}).as_int();
  std::int64_t labeled = 0, ready = 0, available = 0;
  for (const auto& pod : active) {
    const Json& labels = pod->at({"metadata", "labels"});
    bool all = true;
    for (const auto& member : template_labels.members()) all &= labels[member.key] == member.value;
    labeled += all;
    ready += is_pod_ready(*pod);
    available += is_pod_available(*pod, min_ready, age_of);
  }
  Json status = Json::object();
  status.set("replicas", static_cast<std::int64_t>(active.size()));
  auto put = [&](std::string_view field, std::int64_t value) {
    if (value != 0) status.set(field, value);
  };
  put("fullyLabeledReplicas", labeled);
  put("readyReplicas", ready);
  put("availableReplicas", available);
  put("observedGeneration", set.at({"metadata", "generation"}).as_int());
  Json conditions = set.at({"status", "conditions"});
  if (!conditions.is_array()) conditions = Json::array();
  if (!failure.reason.empty()) {
    if (condition_of(conditions, "ReplicaFailure").is_null())
      set_condition(conditions, "ReplicaFailure", "True", failure.reason, failure.message, now);
  } else if (scaled) {
    remove_condition(conditions, "ReplicaFailure");
  }
  if (!conditions.empty()) status.set("conditions", std::move(conditions));
  return status;
}

}  // namespace skiff::controllers
