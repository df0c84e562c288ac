#include "client/informer_index.h"

#include <skiff/base/strings.h>

namespace skiff::client {

std::string key_of(const api::StoredObject& object) {
  std::string_view namespace_name = object.namespace_name();
  if (namespace_name.empty()) return std::string(object.name());
  return base::concat(namespace_name, '/', object.name());
}

InformerStore::InformerStore(std::vector<InformerIndex> indexes)
    : indexes_(std::move(indexes)), values_(indexes_.size()) {}

void InformerStore::index_object(std::string_view key, const api::StoredObject& object, bool add) {
  for (std::size_t i = 0; i < indexes_.size(); ++i) {
    for (std::string& value : indexes_[i].values(object)) {
      if (add) {
        values_[i][std::move(value)].insert(key);
        continue;
      }
      auto found = values_[i].find(value);
      if (found == values_[i].end()) continue;
      found->second.erase(key);
      if (found->second.empty()) values_[i].erase(found);
    }
  }
}

api::StoredObject InformerStore::put(const std::string& key, api::StoredObject object) {
  auto found = objects_.find(key);
  api::StoredObject before;
  if (found != objects_.end()) {
    before = found->second;
    index_object(found->first, before, false);
    if (object.empty()) {
      objects_.erase(found);
      return before;
    }
    found->second = std::move(object);
  } else {
    if (object.empty()) return before;
    found = objects_.emplace(key, std::move(object)).first;
  }
  index_object(found->first, found->second, true);
  return before;
}

api::StoredObject InformerStore::get(std::string_view key) const {
  auto found = objects_.find(key);
  return found == objects_.end() ? api::StoredObject() : found->second;
}

std::vector<api::StoredObject> InformerStore::list(std::string_view namespace_name) const {
  std::vector<api::StoredObject> result;
  if (namespace_name.empty()) {
    result.reserve(objects_.size());
    for (const auto& [key, object] : objects_) result.push_back(object);
    return result;
  }
  std::string prefix = base::concat(namespace_name, '/');
  for (auto it = objects_.lower_bound(prefix); it != objects_.end(); ++it) {
    if (!base::starts_with(it->first, prefix)) break;
    result.push_back(it->second);
  }
  return result;
}

std::vector<api::StoredObject> InformerStore::by_index(std::string_view index,
                                                       std::string_view value) const {
  std::vector<api::StoredObject> result;
  for (std::size_t i = 0; i < indexes_.size(); ++i) {
    if (indexes_[i].name != index) continue;
    auto found = values_[i].find(std::string(value));
    if (found == values_[i].end()) break;
    result.reserve(found->second.size());
    for (std::string_view key : found->second) result.push_back(objects_.find(key)->second);
  }
  return result;
}

std::vector<std::string> InformerStore::keys() const {
  std::vector<std::string> keys;
  keys.reserve(objects_.size());
  for (const auto& [key, object] : objects_) keys.push_back(key);
  return keys;
}

}  // namespace skiff::client
