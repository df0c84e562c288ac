#include <algorithm>

#include "controllers/endpoints/plan_endpoints.h"
#include "controllers/endpoints/slice_writer.h"
#include "controllers/list_of_controllers.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::endpoint_slices;
using client::resources::endpoints;
using client::resources::services;

// What users put into the Endpoints object of a Service without a selector becomes its slices, from
// which nodes and DNS take their endpoints. Keys are those of Service and Endpoints alike.
class SliceMirroringController final : public KeyedController {
 public:
  explicit SliceMirroringController(Context& context)
      : KeyedController(context),
        services_(needs(services)),
        endpoints_(needs(endpoints)),
        writer_(context, needs(endpoint_slices), *queue_) {
    enqueue_on_change(services);
    enqueue_on_change(endpoints);
    watch(endpoint_slices, [this](const api::StoredObject& before, const api::StoredObject& after) {
      const api::StoredObject& slice = after.empty() ? before : after;
      auto labels = api::scan_string_map(slice.text(), {"metadata", "labels"});
      bool is_ours = std::find(labels.begin(), labels.end(),
                               std::pair(std::string(kSliceManagedByLabel),
                                         std::string(kMirroringManager))) != labels.end();
      if (is_ours) queue_->add(service_key_of(slice));
    });
  }
  std::string_view name() const override { return "endpointslicemirroring"; }

 protected:
  Task<Status> sync(std::string key) override {
    JsonPtr service = context_.find(services_, key), object = context_.find(endpoints_, key);
    bool wanted =
        service && object && !api::is_being_deleted(*object) && is_mirrored(*service, *object);
    if (!writer_.sees_own_writes(key)) co_return Status::ok();
    auto plan = std::make_shared<SlicePlan>();
    std::vector<JsonPtr> present = writer_.own_slices(key, kMirroringManager);
    if (wanted)
      *plan = plan_mirrored_slices(*object, present);
    else
      plan->remove = std::move(present);
    co_return co_await writer_.write(key, plan);
  }

 private:
  client::Informer& services_;
  client::Informer& endpoints_;
  SliceWriter writer_;
};

}  // namespace

std::unique_ptr<Controller> make_slice_mirroring_controller(Context& context) {
  return std::make_unique<SliceMirroringController>(context);
}

}  // namespace skiff::controllers
