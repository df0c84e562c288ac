#include "auth/node/node_graph.h"

#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::auth {

using api::PodReference;
using codec::Json;

namespace {

constexpr std::string_view kMirrorAnnotation = "kubernetes.io/config.mirror";

struct ByNode {
  bool operator()(const auto& use, std::uint32_t node) const { return use.node < node; }
};

bool may_name_more(std::string_view text) {
  return text.find("\"ephemeralContainers\"") != text.npos;
}

}  // namespace

NodeGraph::View NodeGraph::view_of(std::string_view key) {
  const auto slash = std::min(key.find('/'), key.size());
  return {PodReference::service_account, key.substr(0, slash),
          key.substr(std::min(slash + 1, key.size()))};
}

NodeGraph::View NodeGraph::Object::view() const {
  const std::string_view text = key;
  return {kind, text.substr(0, namespace_size), text.substr(namespace_size + 1)};
}

std::size_t NodeGraph::hash_of(const View& view) {
  const std::hash<std::string_view> hash;
  constexpr std::size_t kOdd = 0x9E3779B97F4A7C15;
  return (hash(view.name) * kOdd) ^ hash(view.namespace_name) ^ static_cast<std::size_t>(view.kind);
}

bool NodeGraph::same(const View& a, const View& b) {
  return a.kind == b.kind && a.name == b.name && a.namespace_name == b.namespace_name;
}

std::uint32_t NodeGraph::take_node(std::string_view name) {
  if (auto found = node_numbers_.find(name); found != node_numbers_.end()) {
    ++nodes_[found->second].pods;
    return found->second;
  }
  auto number = static_cast<std::uint32_t>(nodes_.size());
  if (free_nodes_.empty()) {
    nodes_.emplace_back();
  } else {
    number = free_nodes_.back();
    free_nodes_.pop_back();
  }
  nodes_[number] = {std::string(name), 1};
  node_numbers_.emplace(name, number);
  return number;
}

void NodeGraph::release_node(std::uint32_t node) {
  if (--nodes_[node].pods != 0) return;
  node_numbers_.erase(nodes_[node].name);
  nodes_[node].name = std::string();
  free_nodes_.push_back(node);
}

void NodeGraph::add_names(std::string_view namespace_name, const Json& tree, Pod& pod) {
  if (tree["metadata"]["annotations"].find(kMirrorAnnotation) != nullptr) return;
  api::visit_pod_references(tree, [&](PodReference kind, std::string_view name) {
    if (kind == PodReference::service_account_token || name.empty()) return true;
    auto object = objects_.find(View{kind, namespace_name, name});
    if (object == objects_.end()) {
      object = objects_
                   .insert(Object{kind,
                                  static_cast<std::uint32_t>(namespace_name.size()),
                                  base::concat(namespace_name, "/", name),
                                  {}})
                   .first;
    }
    pod.names.push_back(&*object);
    return true;
  });
  std::sort(pod.names.begin(), pod.names.end());
  pod.names.erase(std::unique(pod.names.begin(), pod.names.end()), pod.names.end());
  pod.names.shrink_to_fit();
  for (const Object* object : pod.names) {
    auto& uses = object->uses;
    auto use = std::lower_bound(uses.begin(), uses.end(), pod.node, ByNode());
    if (use == uses.end() || use->node != pod.node) use = uses.insert(use, {pod.node, 0});
    ++use->pods;
  }
}

void NodeGraph::release_names(Pod& pod) {
  for (const Object* object : pod.names) {
    auto& uses = object->uses;
    auto use = std::lower_bound(uses.begin(), uses.end(), pod.node, ByNode());
    if (--use->pods != 0) continue;
    uses.erase(use);
    if (uses.empty()) objects_.erase(objects_.find(object->view()));
  }
  pod.names.clear();
}

NodeGraph::Pods::iterator NodeGraph::erase(Pods::iterator at) {
  release_names(at->second);
  release_node(at->second.node);
  return pods_.erase(at);
}

void NodeGraph::put(std::string_view key, const api::StoredObject& stored) {
  auto known = pods_.find(key);
  if (known != pods_.end() && known->second.revision == stored.revision()) {
    known->second.scan = scan_;
    return;
  }
  const auto text = stored.text();
  const auto node = api::scan_string(text, {"spec", "nodeName"}).value_or("");
  const auto uid_hash = std::hash<std::string_view>()(stored.uid());
  if (known != pods_.end()) {
    Pod& pod = known->second;
    if (pod.uid_hash == uid_hash && nodes_[pod.node].name == node && !may_name_more(text)) {
      pod.revision = stored.revision();
      pod.scan = scan_;
      return;
    }
    erase(known);
  }
  if (node.empty()) return;
  auto tree = stored.parse();
  if (!tree.is_ok()) return;
  Pod pod{stored.revision(), uid_hash, take_node(node), scan_, {}};
  add_names(view_of(key).namespace_name, *tree, pod);
  pods_.emplace(key, std::move(pod));
}

void NodeGraph::remove(std::string_view key) {
  if (auto known = pods_.find(key); known != pods_.end()) erase(known);
}

void NodeGraph::end_scan() {
  for (auto at = pods_.begin(); at != pods_.end();) {
    at = at->second.scan == scan_ ? std::next(at) : erase(at);
  }
}

bool NodeGraph::is_on(std::string_view node, std::string_view namespace_name,
                      std::string_view pod) const {
  auto found = pods_.find(View{PodReference::service_account, namespace_name, pod});
  return found != pods_.end() && nodes_[found->second.node].name == node;
}

bool NodeGraph::names(std::string_view node, PodReference kind, std::string_view namespace_name,
                      std::string_view name) const {
  auto number = node_numbers_.find(node);
  if (number == node_numbers_.end()) return false;
  auto object = objects_.find(View{kind, namespace_name, name});
  if (object == objects_.end()) return false;
  const auto& uses = object->uses;
  auto use = std::lower_bound(uses.begin(), uses.end(), number->second, ByNode());
  return use != uses.end() && use->node == number->second;
}

}  // namespace skiff::auth
