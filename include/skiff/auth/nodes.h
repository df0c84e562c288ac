// Pods as the node authorizer reads them: they relate what they name to the node that they are on.
#pragma once

#include <skiff/api/object.h>
#include <skiff/base/function.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace skiff::auth {

// Thread-safe.
class PodSource {
 public:
  virtual ~PodSource() = default;
  // Grows with every change of a pod, before the writer hears that it is done.
  virtual std::uint64_t version() const = 0;
  // A key is "namespace/name"; `pod` is empty when it is gone.
  using Visit = base::UniqueFunction<void(std::string_view key, const api::StoredObject& pod)>;
  // All pods of one moment, and the version that they are at.
  virtual std::uint64_t scan(Visit visit) const = 0;
  // What changed after `since` in its order, and the version that this leads to; nullopt when that
  // is not known any more.
  virtual std::optional<std::uint64_t> changes(std::uint64_t since, Visit visit) const = 0;
};

}  // namespace skiff::auth
