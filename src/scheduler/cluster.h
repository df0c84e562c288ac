// The nodes and the pods on them, kept up to date; what a placement is planned from.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "scheduler/facts.h"

namespace skiff::scheduler {

// A pod on a node. Labels and terms are kept only of pods that others have to respect.
struct PlacedPod {
  std::string uid, node;
  PodUse use;
  std::string namespace_name;
  api::Labels labels;
  std::vector<PodTerm> anti_affinity;
};

// Thread-compatible.
class Cluster {
 public:
  void put_node(NodeFacts node);
  void remove_node(std::string_view name);
  // Places the pod, or moves it. `key` is its "namespace/name".
  void put_pod(const std::string& key, PlacedPod pod);
  void remove_pod(const std::string& key);
  bool has_pod(const std::string& key) const { return pods_.count(key) != 0; }
  const PlacedPod* find_pod(const std::string& key) const;

  const std::vector<NodeFacts>& nodes() const { return nodes_; }
  const NodeFacts* find_node(std::string_view name) const;
  const std::unordered_map<std::string, PlacedPod>& pods() const { return pods_; }
  // Keys of the placed pods with required anti-affinity.
  const std::map<std::string, const PlacedPod*>& guarded_pods() const { return guarded_; }
  // Nodes that have the image.
  std::size_t nodes_with_image(const std::string& image) const;

 private:
  void account(NodeFacts& node, const PodUse& use, std::int64_t sign);
  NodeFacts* node_of(std::string_view name);
  void count_images(const NodeFacts& node, int sign);

  std::vector<NodeFacts> nodes_;
  std::map<std::string, std::size_t, std::less<>> place_of_node_;
  std::unordered_map<std::string, PlacedPod> pods_;
  std::map<std::string, const PlacedPod*> guarded_;
  std::unordered_map<std::string, int> image_nodes_;
};

}  // namespace skiff::scheduler
