#include <set>

#include "controllers/list_of_controllers.h"
#include "controllers/rbac/plan_aggregation.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::cluster_roles;

// Keeps the rules of ClusterRoles that gather those of others. Keys are names of ClusterRoles.
class AggregationController final : public KeyedController {
 public:
  explicit AggregationController(Context& context)
      : KeyedController(context), roles_(needs(cluster_roles)) {
    watch(cluster_roles, [this](const api::StoredObject& before, const api::StoredObject& after) {
      note(before, after);
    });
  }
  std::string_view name() const override { return "clusterrole-aggregation-controller"; }

 private:
  // Any role may be one that others gather.
  void note(const api::StoredObject& before, const api::StoredObject& after) {
    const std::string role((after.empty() ? before : after).name());
    if (!after.empty() && after.text().find("\"aggregationRule\"") != std::string_view::npos) {
      gathering_.insert(role);
    } else {
      gathering_.erase(role);
    }
    for (const auto& each : gathering_) queue_->add(each);
  }

  Task<Status> sync(std::string key) override {
    JsonPtr role = context_.find(roles_, key);
    if (!role || (*role)["aggregationRule"].is_null()) co_return Status::ok();
    Json rules = plan_aggregation(*role, roles_.list());
    if ((*role)["rules"] == rules || (rules.empty() && (*role)["rules"].empty())) {
      co_return Status::ok();
    }
    Json object = *role;
    object.set("rules", std::move(rules));
    auto updating = context_.client.update(cluster_roles, std::move(object));
    auto updated = co_await std::move(updating);
    co_return updated.status();
  }

  client::Informer& roles_;
  std::set<std::string> gathering_;
};

}  // namespace

std::unique_ptr<Controller> make_aggregation_controller(Context& context) {
  return std::make_unique<AggregationController>(context);
}

}  // namespace skiff::controllers
