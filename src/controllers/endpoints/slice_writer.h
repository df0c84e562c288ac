// Writes of EndpointSlices by a controller that plans from an informer. Loop-only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controllers/common/controller.h"
#include "controllers/endpoints/plan_endpoints.h"

namespace skiff::controllers {

class SliceWriter {
 public:
  SliceWriter(Context& context, client::Informer& slices, client::WorkQueue& queue)
      : context_(context), slices_(slices), queue_(queue) {}

  // The informer may be behind our own writes: a plan made from it would write them twice. False
  // while it is; the watch brings the key again.
  bool sees_own_writes(const std::string& key);
  void forget(const std::string& key);
  // Slices of the Service of that key ("namespace/name") whose manager is `manager`.
  std::vector<JsonPtr> own_slices(const std::string& key, std::string_view manager) const;
  // `plan` is used up. Errors: those of the API.
  base::Task<base::Status> write(std::string key, std::shared_ptr<SlicePlan> plan);

 private:
  void remember(const std::string& key, const Json& slice);

  Context& context_;
  client::Informer& slices_;
  client::WorkQueue& queue_;
  std::map<std::string, std::map<std::string, std::uint64_t>> written_;
  std::map<std::string, base::MonotonicTime> give_up_at_;
};

// The Service of a slice as a key, empty without.
std::string service_key_of(const api::StoredObject& slice);

}  // namespace skiff::controllers
