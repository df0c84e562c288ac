// The objects of an informer by key and by index value.
#pragma once

#include <skiff/client/informer.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace skiff::client {

// Thread-compatible. Views of index entries point into the keys of `objects_`, whose nodes stay
// where they are.
class InformerStore {
 public:
  explicit InformerStore(std::vector<InformerIndex> indexes);

  // Puts the object (empty: removes the key) and returns what was there.
  api::StoredObject put(const std::string& key, api::StoredObject object);
  api::StoredObject get(std::string_view key) const;
  std::vector<api::StoredObject> list(std::string_view namespace_name) const;
  std::vector<api::StoredObject> by_index(std::string_view index, std::string_view value) const;
  std::size_t size() const { return objects_.size(); }
  std::vector<std::string> keys() const;

 private:
  using Values = std::unordered_map<std::string, std::set<std::string_view>>;
  void index_object(std::string_view key, const api::StoredObject& object, bool add);

  std::vector<InformerIndex> indexes_;
  std::vector<Values> values_;  // one per index
  std::map<std::string, api::StoredObject, std::less<>> objects_;
};

// "namespace/name" or "name".
std::string key_of(const api::StoredObject& object);

}  // namespace skiff::client
