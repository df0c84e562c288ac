// Pods and nodes as the scheduler calculates with them: compact, without trees.
#pragma once

#include <skiff/api/node_selector.h>
#include <skiff/api/selector.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::scheduler {

using api::LabelSet;
using api::NodeRequirement;
using api::NodeTerm;
using api::Taint;
using api::TaintEffect;
using api::Toleration;
using codec::Json;

struct ExtendedAmount {
  std::string name;
  std::int64_t value = 0;
};

struct Amounts {
  std::int64_t milli_cpu = 0, memory = 0, ephemeral_storage = 0;
  std::vector<ExtendedAmount> extended;

  void add(const Amounts& other, std::int64_t sign = 1);
  void take_max(const Amounts& other);
  std::int64_t extended_value(std::string_view name) const;
};
// A list of resource names and quantities; what does not parse counts as 0. Pods are left out.
Amounts parse_amounts(const Json& resources);

struct HostPort {
  std::string address;  // "0.0.0.0" for any
  std::string protocol;
  std::int32_t port = 0;
  bool collides(const HostPort& other) const;
};

// Required and preferred terms of pod affinity, pod anti-affinity.
struct PodTerm {
  api::LabelSelector selector;
  std::vector<std::string> namespaces;
  bool all_namespaces = false;
  std::string topology_key;
  std::int32_t weight = 0;
  bool matches(std::string_view namespace_name, const api::Labels& labels) const;
};

struct SpreadConstraint {
  api::LabelSelector selector;
  std::string topology_key;
  std::int32_t max_skew = 1;
  std::int32_t min_domains = 1;
  bool required = true;  // DoNotSchedule
};

// What a pod takes of a node; kept for every pod that has one.
struct PodUse {
  Amounts requests;
  std::int64_t scored_milli_cpu = 0, scored_memory = 0;  // with defaults where nothing is asked for
  std::vector<HostPort> ports;
};

struct PodFacts {
  std::string key, namespace_name, name, uid;
  std::int32_t priority = 0;
  PodUse use;
  std::string required_node;  // spec.nodeName of what is looked at for its use only
  std::vector<std::pair<std::string, std::string>> node_selector;
  std::optional<std::vector<NodeTerm>> required_terms;
  std::vector<NodeTerm> preferred_terms;
  std::vector<Toleration> tolerations;
  std::vector<std::string> images;
  api::Labels labels;
  std::vector<PodTerm> affinity, anti_affinity, preferred_affinity, preferred_anti_affinity;
  std::vector<SpreadConstraint> spread;
  std::vector<std::string> claims;  // persistentVolumeClaims, which this cluster does not have
  bool never_preempts = false;
};
PodUse parse_pod_use(const Json& pod);
PodFacts parse_pod(const Json& pod);
// Only the required anti-affinity of a placed pod matters to others.
std::vector<PodTerm> parse_required_anti_affinity(const Json& pod);

struct NodeFacts {
  std::string name;
  LabelSet labels;
  std::vector<Taint> taints;
  bool unschedulable = false;
  Amounts allocatable;
  std::int64_t allowed_pods = 0;
  std::vector<std::pair<std::string, std::int64_t>> images;  // sorted by name; bytes

  // Of the pods on it.
  Amounts requested;
  std::int64_t scored_milli_cpu = 0, scored_memory = 0;
  std::int64_t pods = 0;
  std::vector<HostPort> ports;
};
NodeFacts parse_node(const Json& node);
// "busybox" becomes "busybox:latest".
std::string normal_image_name(std::string_view image);

}  // namespace skiff::scheduler
