#include <skiff/base/strings.h>

#include "controllers/list_of_controllers.h"
#include "controllers/service_accounts/root_ca.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::config_maps;
using client::resources::namespaces;
using client::resources::service_accounts;

// Keeps one named object in every namespace that is not being deleted. Keys are namespaces.
class NamespaceDefaultController : public KeyedController {
 public:
  NamespaceDefaultController(Context& context, client::Resource resource, std::string object_name)
      : KeyedController(context),
        namespaces_(needs(namespaces)),
        objects_(needs(resource)),
        resource_(resource),
        object_name_(std::move(object_name)) {
    enqueue_on_change(namespaces);
    watch(resource, [this](const api::StoredObject& before, const api::StoredObject& after) {
      const api::StoredObject& object = after.empty() ? before : after;
      if (object.name() == object_name_) queue_->add(std::string(object.namespace_name()));
    });
  }

 protected:
  void look_at_all() {
    for (const auto& each : namespaces_.list()) queue_->add(std::string(each.name()));
  }
  // What the object should be, made from what it is (null JSON: absent).
  virtual Json wanted(const Json& present) const = 0;

  Task<Status> sync(std::string key) override {
    JsonPtr owner = context_.find(namespaces_, key);
    if (!owner || api::is_being_deleted(*owner)) co_return Status::ok();
    JsonPtr present = context_.find(objects_, base::concat(key, '/', object_name_));
    Json object = wanted(present ? *present : Json());
    if (present && object == *present) co_return Status::ok();
    if (present) {
      auto updating = context_.client.update(resource_, std::move(object));
      auto updated = co_await std::move(updating);
      co_return updated.status();
    }
    object["metadata"].set("name", object_name_);
    object["metadata"].set("namespace", key);
    auto creating = context_.client.create(resource_, key, std::move(object));
    auto created = co_await std::move(creating);
    co_return created.code() == base::Code::already_exists ? Status::ok() : created.status();
  }

 private:
  client::Informer& namespaces_;
  client::Informer& objects_;
  const client::Resource resource_;
  const std::string object_name_;
};

class ServiceAccountController final : public NamespaceDefaultController {
 public:
  explicit ServiceAccountController(Context& context)
      : NamespaceDefaultController(context, service_accounts, "default") {}
  std::string_view name() const override { return "serviceaccount"; }

 protected:
  Json wanted(const Json& present) const override {
    if (present.is_object()) return present;
    return Json::object({{"apiVersion", "v1"}, {"kind", "ServiceAccount"}});
  }
};

constexpr std::string_view kDescription =
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal "
    "endpoints such as the internal service IP or kubernetes.default.svc. No other usage is "
    "guaranteed across distributions of Kubernetes clusters.";

// Follows the trust of the cluster, which changes when its authority rolls.
class RootCaController final : public NamespaceDefaultController {
 public:
  RootCaController(Context& context, RootCa root_ca)
      : NamespaceDefaultController(context, config_maps, "kube-root-ca.crt"),
        root_ca_(std::move(root_ca)) {}
  std::string_view name() const override { return "root-ca-certificate-publisher"; }

 protected:
  Json wanted(const Json& present) const override {
    Json object = present;
    if (!object.is_object()) object = Json::object({{"apiVersion", "v1"}, {"kind", "ConfigMap"}});
    object["metadata"]["annotations"].set("kubernetes.io/description", kDescription);
    object.set("data", Json::object({{"ca.crt", root_ca_.pem()}}));
    return object;
  }

 private:
  void started() override {
    if (root_ca_.may_change()) queue_->add_after(std::string(kTrustKey), kTrustCheckInterval);
  }
  Task<Status> sync(std::string key) override {
    if (key != kTrustKey) {
      auto syncing = NamespaceDefaultController::sync(std::move(key));
      co_return co_await std::move(syncing);
    }
    if (root_ca_.refresh()) look_at_all();
    queue_->add_after(std::move(key), kTrustCheckInterval);
    co_return Status::ok();
  }

  // No name of a namespace.
  static constexpr std::string_view kTrustKey = "/trust";
  RootCa root_ca_;
};

}  // namespace

std::unique_ptr<Controller> make_service_account_controller(Context& context) {
  return std::make_unique<ServiceAccountController>(context);
}

std::unique_ptr<Controller> make_root_ca_controller(Context& context, RootCa root_ca) {
  return std::make_unique<RootCaController>(context, std::move(root_ca));
}

}  // namespace skiff::controllers
