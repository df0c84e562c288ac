#include "controllers/garbage/owner_graph.h"

#include <algorithm>

namespace skiff::controllers {

bool OwnerGraph::set_owners(const std::string& uid, const ObjectPlace& place, const Json& owners) {
  std::vector<std::string> uids;
  for (const Json& owner : owners.items()) uids.emplace_back(owner["uid"].as_string());
  std::sort(uids.begin(), uids.end());
  auto found = nodes_.find(uid);
  if (found != nodes_.end() && found->second.owners == uids) return false;
  std::vector<std::string> before;
  if (found != nodes_.end()) before = found->second.owners;
  forget(uid);
  if (uids.empty()) return false;
  for (const std::string& owner : uids) dependents_[owner].insert(uid);
  bool any_new = !std::includes(before.begin(), before.end(), uids.begin(), uids.end());
  nodes_[uid] = Node{place, std::move(uids)};
  return any_new;
}

void OwnerGraph::forget(const std::string& uid) {
  auto found = nodes_.find(uid);
  if (found == nodes_.end()) return;
  for (const std::string& owner : found->second.owners) {
    auto dependents = dependents_.find(owner);
    if (dependents == dependents_.end()) continue;
    dependents->second.erase(uid);
    if (dependents->second.empty()) dependents_.erase(dependents);
  }
  nodes_.erase(found);
}

std::vector<ObjectPlace> OwnerGraph::dependents_of(std::string_view uid) const {
  std::vector<ObjectPlace> places;
  auto found = dependents_.find(std::string(uid));
  if (found == dependents_.end()) return places;
  for (const std::string& dependent : found->second) places.push_back(nodes_.at(dependent).place);
  return places;
}

}  // namespace skiff::controllers
