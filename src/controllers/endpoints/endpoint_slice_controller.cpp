#include "controllers/endpoints/plan_endpoints.h"
#include "controllers/endpoints/service_pods.h"
#include "controllers/list_of_controllers.h"

#include <skiff/base/strings.h>

#include <map>

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::endpoint_slices;

class EndpointSliceController final : public ServicePodsController {
 public:
  explicit EndpointSliceController(Context& context)
      : ServicePodsController(context), slices_(needs(endpoint_slices)) {
    watch(endpoint_slices, [this](const api::StoredObject& before, const api::StoredObject& after) {
      const api::StoredObject& slice = after.empty() ? before : after;
      auto labels = api::scan_string_map(slice.text(), {"metadata", "labels"});
      for (const auto& [key, value] : labels)
        if (key == kServiceNameLabel) queue_->add(base::concat(slice.namespace_name(), '/', value));
    });
  }
  std::string_view name() const override { return "endpointslice"; }

 protected:
  Task<Status> sync(std::string key) override {
    JsonPtr service = context_.find(services_, key);
    if (!service || api::is_being_deleted(*service)) {
      written_.erase(key);
      co_return Status::ok();
    }
    if (!has_selector(*service)) co_return Status::ok();
    if (!sees_own_writes(key)) co_return Status::ok();  // the watch brings the key again
    auto zone = [this](std::string_view node) { return zone_of(node); };
    std::vector<PodEndpoint> endpoints = plan_pod_endpoints(*service, pods_of(*service), zone);
    SlicePlan plan = plan_endpoint_slices(*service, endpoints, own_slices(*service));
    auto shared = std::make_shared<SlicePlan>(std::move(plan));
    co_return co_await write(key, shared);
  }

 private:
  // The informer may be behind our own writes: a plan made from it would write them twice.
  bool sees_own_writes(const std::string& key) {
    auto written = written_.find(key);
    if (written == written_.end()) return true;
    for (const auto& [slice, revision] : written->second) {
      api::StoredObject seen = slices_.get(slice);
      if (seen.empty() || seen.revision() < revision) {
        if (context_.timers.clock().monotonic() < give_up_at_[key]) return false;
      }
    }
    written_.erase(written);
    return true;
  }

  std::vector<JsonPtr> own_slices(const Json& service) const {
    std::vector<JsonPtr> own;
    for (const auto& object : slices_.list(api::namespace_of(service))) {
      JsonPtr slice = context_.parsed.parse(object);
      if (api::label(*slice, kServiceNameLabel) == api::name_of(service) &&
          api::label(*slice, kSliceManagedByLabel) == kSliceManager)
        own.push_back(slice);
    }
    return own;
  }

  void remember(const std::string& key, const Json& slice) {
    auto revision = base::parse_int(api::resource_version_of(slice)).value_or(0);
    written_[key][api::object_key(slice)] = static_cast<std::uint64_t>(revision);
    give_up_at_[key] = context_.timers.clock().monotonic() + kOwnWritesTimeout;
    queue_->add_after(key, kOwnWritesTimeout + std::chrono::seconds(1));
  }

  Task<Status> write(std::string key, std::shared_ptr<SlicePlan> plan) {
    std::string namespace_name = split_key(key).namespace_name;
    for (Json& slice : plan->create) {
      auto creating = context_.client.create(endpoint_slices, namespace_name, std::move(slice));
      auto created = co_await std::move(creating);
      if (!created.is_ok()) co_return created.status();
      remember(key, *created);
    }
    for (Json& slice : plan->update) {
      auto updating = context_.client.update(endpoint_slices, std::move(slice));
      auto updated = co_await std::move(updating);
      if (!updated.is_ok()) co_return updated.status();
      remember(key, *updated);
    }
    for (const JsonPtr& slice : plan->remove) {
      client::DeleteOptions options;
      options.uid = api::uid_of(*slice);
      auto removing = context_.client.remove(endpoint_slices, namespace_name,
                                             std::string(api::name_of(*slice)), options);
      Status removed = co_await std::move(removing);
      if (!removed.is_ok() && removed.code() != base::Code::not_found) co_return removed;
    }
    co_return Status::ok();
  }

  client::Informer& slices_;
  std::map<std::string, std::map<std::string, std::uint64_t>> written_;
  std::map<std::string, base::MonotonicTime> give_up_at_;
};

}  // namespace

std::unique_ptr<Controller> make_endpoint_slice_controller(Context& context) {
  return std::make_unique<EndpointSliceController>(context);
}

}  // namespace skiff::controllers
