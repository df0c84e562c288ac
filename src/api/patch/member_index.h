// Looking up members of wide objects, so that hostile ones cost no quadratic time.
#pragma once

#include <skiff/codec/json.h>

#include <string_view>
#include <unordered_map>

namespace skiff::api::patch {

// Views an object that must outlive it and keep its members.
class MemberIndex {
 public:
  explicit MemberIndex(const codec::Json& object) : object_(object) {
    if (object.members().size() < kLinearMax) return;
    for (const auto& member : object.members()) index_.emplace(member.key, &member.value);
  }
  const codec::Json* find(std::string_view key) const {
    if (index_.empty()) return object_.find(key);
    auto found = index_.find(key);
    return found == index_.end() ? nullptr : found->second;
  }

 private:
  static constexpr std::size_t kLinearMax = 64;
  const codec::Json& object_;
  std::unordered_map<std::string_view, const codec::Json*> index_;
};

}  // namespace skiff::api::patch
