#include "controllers/deployment/plan_revision.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <limits>

namespace skiff::controllers {

namespace {

// Annotations of the Deployment that its sets do not inherit.
bool is_own_annotation(std::string_view key) {
  return key == "kubectl.kubernetes.io/last-applied-configuration" || key == kRevisionAnnotation ||
         key == kRevisionHistoryAnnotation || key == kDesiredReplicasAnnotation ||
         key == kMaxReplicasAnnotation || key == "deprecated.deployment.rollback.to";
}

Json without_hash(Json pod_template) {
  if (Json* metadata = pod_template.find("metadata")) {
    if (Json* labels = metadata->find("labels")) {
      labels->erase(kTemplateHashLabel);
      if (labels->empty()) metadata->erase("labels");
    }
    metadata->erase("creationTimestamp");
    if (metadata->empty()) pod_template.erase("metadata");
  }
  return pod_template;
}

}  // namespace

std::string template_hash(const Json& pod_template, std::int64_t collisions) {
  constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string text = canonical_text(without_hash(pod_template));
  if (collisions > 0) text += std::to_string(collisions);
  std::uint64_t hash = 14695981039346656037ull;  // FNV-1a
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  hash ^= hash >> 32;
  std::string result;
  for (int i = 0; i < 10; ++i) {
    result += kAlphabet[hash % kAlphabet.size()];
    hash /= kAlphabet.size();
  }
  return result;
}

bool is_same_template(const Json& a, const Json& b) {
  return canonical_text(without_hash(a)) == canonical_text(without_hash(b));
}

std::int64_t revision_of(const Json& object) {
  return base::parse_int(api::annotation(object, kRevisionAnnotation)).value_or(0);
}

Json plan_set_annotations(const Json& deployment, const Json& set_annotations,
                          std::int64_t old_revision_max, std::int64_t max_surge) {
  Json annotations = set_annotations.is_object() ? set_annotations : Json::object();
  for (const auto& member : deployment.at({"metadata", "annotations"}).members())
    if (!is_own_annotation(member.key)) annotations.set(member.key, member.value);
  std::string_view text = annotations[kRevisionAnnotation].as_string();
  std::int64_t old_revision = base::parse_int(text).value_or(0);
  std::int64_t revision = old_revision_max + 1;
  if (old_revision < revision) {
    if (old_revision > 0) {
      std::string history(annotations[kRevisionHistoryAnnotation].as_string());
      if (!history.empty()) history += ',';
      history += std::to_string(old_revision);
      annotations.set(kRevisionHistoryAnnotation, history);
    }
    annotations.set(kRevisionAnnotation, std::to_string(revision));
  }
  std::int64_t replicas = deployment.at({"spec", "replicas"}).as_int(1);
  annotations.set(kDesiredReplicasAnnotation, std::to_string(replicas));
  annotations.set(kMaxReplicasAnnotation, std::to_string(replicas + max_surge));
  return annotations;
}

Json make_new_set(const Json& deployment, std::int64_t replicas, Json annotations,
                  const std::string& hash) {
  Json pod_template = deployment.at({"spec", "template"});
  pod_template["metadata"]["labels"].set(kTemplateHashLabel, hash);
  Json selector = deployment.at({"spec", "selector"});
  selector["matchLabels"].set(kTemplateHashLabel, hash);
  Json owner = controller_reference(deployment, "apps/v1", "Deployment");
  Json metadata = Json::object({{"name", base::concat(api::name_of(deployment), '-', hash)},
                                {"namespace", api::namespace_of(deployment)},
                                {"labels", pod_template.at({"metadata", "labels"})},
                                {"annotations", std::move(annotations)},
                                {"ownerReferences", Json::array({std::move(owner)})}});
  Json spec = Json::object({{"replicas", replicas},
                            {"selector", std::move(selector)},
                            {"template", std::move(pod_template)}});
  std::int64_t min_ready = deployment.at({"spec", "minReadySeconds"}).as_int();
  if (min_ready != 0) spec.set("minReadySeconds", min_ready);
  return Json::object({{"apiVersion", "apps/v1"},
                       {"kind", "ReplicaSet"},
                       {"metadata", std::move(metadata)},
                       {"spec", std::move(spec)}});
}

std::vector<const Json*> plan_history_cleanup(const Json& deployment,
                                              const std::vector<const Json*>& old_sets) {
  const Json& limit = deployment.at({"spec", "revisionHistoryLimit"});
  if (!limit.is_int() || limit.as_int() == std::numeric_limits<std::int32_t>::max()) return {};
  std::vector<const Json*> kept;
  for (const Json* set : old_sets)
    if (!api::is_being_deleted(*set)) kept.push_back(set);
  auto excess = static_cast<std::int64_t>(kept.size()) - limit.as_int();
  if (excess <= 0) return {};
  std::sort(kept.begin(), kept.end(), [](const Json* a, const Json* b) {
    return std::pair(revision_of(*a), api::name_of(*a)) <
           std::pair(revision_of(*b), api::name_of(*b));
  });
  std::vector<const Json*> gone;
  for (std::int64_t i = 0; i < excess; ++i) {
    const Json& set = *kept[static_cast<std::size_t>(i)];
    bool unused = set.at({"status", "replicas"}).as_int() == 0 &&
                  set.at({"spec", "replicas"}).as_int(1) == 0 &&
                  set.at({"metadata", "generation"}).as_int() <=
                      set.at({"status", "observedGeneration"}).as_int();
    if (unused) gone.push_back(&set);
  }
  return gone;
}

ReplicaSetFacts facts_of_set(const Json& set) {
  ReplicaSetFacts facts;
  facts.name = api::name_of(set);
  if (auto created = time_at(set, {"metadata", "creationTimestamp"}))
    facts.created_ns = created->unix_ns;
  facts.replicas = set.at({"spec", "replicas"}).as_int(1);
  facts.status_replicas = set.at({"status", "replicas"}).as_int();
  facts.available = set.at({"status", "availableReplicas"}).as_int();
  facts.desired = base::parse_int(api::annotation(set, kDesiredReplicasAnnotation));
  facts.max_replicas = base::parse_int(api::annotation(set, kMaxReplicasAnnotation));
  return facts;
}

}  // namespace skiff::controllers
