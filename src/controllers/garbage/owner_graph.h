// Who is owned by whom, for objects that have owners. Fed by informers.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controllers/common/objects.h"

namespace skiff::controllers {

// Where an object is: the number of its resource, and its key there.
struct ObjectPlace {
  std::size_t resource = 0;
  std::string key;
};

// Thread-compatible.
class OwnerGraph {
 public:
  // The object's owners are now these (none: it is forgotten as a dependent). Returns whether any
  // owner is new.
  bool set_owners(const std::string& uid, const ObjectPlace& place, const Json& owners);
  void forget(const std::string& uid);
  std::vector<ObjectPlace> dependents_of(std::string_view uid) const;
  bool has_dependents(std::string_view uid) const {
    return dependents_.count(std::string(uid)) != 0;
  }

 private:
  struct Node {
    ObjectPlace place;
    std::vector<std::string> owners;
  };
  std::unordered_map<std::string, Node> nodes_;
  std::unordered_map<std::string, std::set<std::string>> dependents_;  // owner uid to uids
};

}  // namespace skiff::controllers
