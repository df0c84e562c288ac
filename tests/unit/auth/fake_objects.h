// Objects in memory for those who read the latest ones.
#pragma once

#include <skiff/auth/auth.h>
#include <skiff/base/strings.h>
#include <skiff/codec/json.h>

#include <map>
#include <string>

namespace skiff::test {

class FakeObjects final : public auth::ObjectReader {
 public:
  // `text` is the JSON text of the object.
  void put(const std::string& resource, const std::string& text) {
    auto tree = codec::parse_json(text);
    SKIFF_ASSERT(tree.is_ok());
    objects_[key(resource, api::namespace_of(*tree), api::name_of(*tree))] =
        api::StoredObject(api::StoredObject::encode(*tree), ++revision_);
  }
  void remove(const std::string& resource, const std::string& where, const std::string& name) {
    objects_.erase(key(resource, where, name));
  }

  api::StoredObject get(std::string_view, std::string_view resource,
                        std::string_view namespace_name, std::string_view name) const override {
    ++reads;
    auto found = objects_.find(key(resource, namespace_name, name));
    return found == objects_.end() ? api::StoredObject() : found->second;
  }
  void scan(std::string_view, std::string_view, std::string_view,
            base::UniqueFunction<bool(const api::StoredObject&)>) const override {}
  mutable int reads = 0;

 private:
  static std::string key(std::string_view resource, std::string_view where, std::string_view name) {
    return base::concat(resource, "/", where, "/", name);
  }
  std::map<std::string, api::StoredObject> objects_;
  std::uint64_t revision_ = 0;
};

}  // namespace skiff::test
