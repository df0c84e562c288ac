#include "controllers/endpoints/plan_endpoints.h"
#include "controllers/endpoints/service_pods.h"
#include "controllers/endpoints/slice_writer.h"
#include "controllers/list_of_controllers.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::endpoint_slices;

class EndpointSliceController final : public ServicePodsController {
 public:
  explicit EndpointSliceController(Context& context)
      : ServicePodsController(context), writer_(context, needs(endpoint_slices), *queue_) {
    watch(endpoint_slices, [this](const api::StoredObject& before, const api::StoredObject& after) {
      std::string key = service_key_of(after.empty() ? before : after);
      if (!key.empty()) queue_->add(std::move(key));
    });
  }
  std::string_view name() const override { return "endpointslice"; }

 protected:
  Task<Status> sync(std::string key) override {
    JsonPtr service = context_.find(services_, key);
    if (!service || api::is_being_deleted(*service)) {
      writer_.forget(key);
      co_return Status::ok();
    }
    if (!has_selector(*service)) co_return Status::ok();
    if (!writer_.sees_own_writes(key)) co_return Status::ok();
    auto zone = [this](std::string_view node) { return zone_of(node); };
    std::vector<PodEndpoint> endpoints = plan_pod_endpoints(*service, pods_of(*service), zone);
    auto plan = std::make_shared<SlicePlan>(
        plan_endpoint_slices(*service, endpoints, writer_.own_slices(key, kSliceManager)));
    co_return co_await writer_.write(key, plan);
  }

 private:
  SliceWriter writer_;
};

}  // namespace

std::unique_ptr<Controller> make_endpoint_slice_controller(Context& context) {
  return std::make_unique<EndpointSliceController>(context);
}

}  // namespace skiff::controllers
