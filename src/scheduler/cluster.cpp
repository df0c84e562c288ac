#include "scheduler/cluster.h"

#include <algorithm>

namespace skiff::scheduler {

NodeFacts* Cluster::node_of(std::string_view name) {
  auto found = place_of_node_.find(name);
  return found == place_of_node_.end() ? nullptr : &nodes_[found->second];
}

const NodeFacts* Cluster::find_node(std::string_view name) const {
  auto found = place_of_node_.find(name);
  return found == place_of_node_.end() ? nullptr : &nodes_[found->second];
}

const PlacedPod* Cluster::find_pod(const std::string& key) const {
  auto found = pods_.find(key);
  return found == pods_.end() ? nullptr : &found->second;
}

void Cluster::account(NodeFacts& node, const PodUse& use, std::int64_t sign) {
  node.requested.add(use.requests, sign);
  node.scored_milli_cpu += sign * use.scored_milli_cpu;
  node.scored_memory += sign * use.scored_memory;
  node.pods += sign;
  for (const HostPort& port : use.ports) {
    if (sign > 0) {
      node.ports.push_back(port);
      continue;
    }
    auto same = std::find_if(node.ports.begin(), node.ports.end(), [&](const HostPort& own) {
      return own.port == port.port && own.protocol == port.protocol && own.address == port.address;
    });
    if (same != node.ports.end()) node.ports.erase(same);
  }
}

void Cluster::count_images(const NodeFacts& node, int sign) {
  for (const auto& [name, bytes] : node.images) {
    int& count = image_nodes_[name];
    count += sign;
    if (count <= 0) image_nodes_.erase(name);
  }
}

void Cluster::put_node(NodeFacts node) {
  count_images(node, 1);
  if (NodeFacts* known = node_of(node.name)) {
    count_images(*known, -1);
    node.requested = std::move(known->requested);
    node.scored_milli_cpu = known->scored_milli_cpu;
    node.scored_memory = known->scored_memory;
    node.pods = known->pods;
    node.ports = std::move(known->ports);
    *known = std::move(node);
    return;
  }
  // Pods may have been seen before their node.
  for (const auto& [key, pod] : pods_)
    if (pod.node == node.name) account(node, pod.use, 1);
  place_of_node_.emplace(node.name, nodes_.size());
  nodes_.push_back(std::move(node));
}

void Cluster::remove_node(std::string_view name) {
  auto found = place_of_node_.find(name);
  if (found == place_of_node_.end()) return;
  std::size_t place = found->second;
  count_images(nodes_[place], -1);
  place_of_node_.erase(found);
  if (place + 1 != nodes_.size()) {
    nodes_[place] = std::move(nodes_.back());
    place_of_node_.find(nodes_[place].name)->second = place;
  }
  nodes_.pop_back();
}

void Cluster::put_pod(const std::string& key, PlacedPod pod) {
  remove_pod(key);
  if (NodeFacts* node = node_of(pod.node)) account(*node, pod.use, 1);
  PlacedPod& placed = pods_[key];
  placed = std::move(pod);
  if (!placed.anti_affinity.empty()) guarded_.emplace(key, &placed);
}

void Cluster::remove_pod(const std::string& key) {
  auto found = pods_.find(key);
  if (found == pods_.end()) return;
  if (NodeFacts* node = node_of(found->second.node)) account(*node, found->second.use, -1);
  guarded_.erase(key);
  pods_.erase(found);
}

std::size_t Cluster::nodes_with_image(const std::string& image) const {
  auto found = image_nodes_.find(image);
  return found == image_nodes_.end() ? 0 : static_cast<std::size_t>(found->second);
}

}  // namespace skiff::scheduler
