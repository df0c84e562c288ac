#include "controllers/endpoints/plan_endpoints.h"
#include "controllers/endpoints/service_pods.h"
#include "controllers/list_of_controllers.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::endpoints;

// The older form of EndpointSlices, which clients still read.
class EndpointsController final : public ServicePodsController {
 public:
  explicit EndpointsController(Context& context)
      : ServicePodsController(context), endpoints_(needs(endpoints)) {
    enqueue_on_change(endpoints);  // one that was changed or deleted by others is made again
  }
  std::string_view name() const override { return "endpoints"; }

 protected:
  Task<Status> sync(std::string key) override {
    JsonPtr service = context_.find(services_, key);
    JsonPtr present = context_.find(endpoints_, key);
    if (!service) co_return co_await remove_own(key, present);
    if (!has_selector(*service)) co_return Status::ok();
    Json wanted = plan_endpoints(*service, pods_of(*service), present ? *present : Json());
    if (present && wanted == *present) co_return Status::ok();
    if (present) {
      auto updating = context_.client.update(endpoints, std::move(wanted));
      auto updated = co_await std::move(updating);
      co_return updated.status();
    }
    auto creating =
        context_.client.create(endpoints, split_key(key).namespace_name, std::move(wanted));
    auto created = co_await std::move(creating);
    co_return created.status();
  }

 private:
  // The Service is gone. Objects that somebody else made without one are left alone.
  Task<Status> remove_own(std::string key, JsonPtr present) {
    if (!present ||
        api::label(*present, "endpoints.kubernetes.io/managed-by") != "endpoint-controller")
      co_return Status::ok();
    ObjectName name = split_key(key);
    client::DeleteOptions options;
    options.uid = api::uid_of(*present);
    auto removing = context_.client.remove(endpoints, name.namespace_name, name.name, options);
    Status removed = co_await std::move(removing);
    co_return removed.code() == base::Code::not_found ? Status::ok() : removed;
  }

  client::Informer& endpoints_;
};

}  // namespace

std::unique_ptr<Controller> make_endpoints_controller(Context& context) {
  return std::make_unique<EndpointsController>(context);
}

}  // namespace skiff::controllers
