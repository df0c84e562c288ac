#include "controllers/list_of_controllers.h"
#include "controllers/nodes/plan_pod_garbage.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <set>

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::nodes;
using client::resources::pods;

constexpr char kWholeCluster[] = "all";

// One key stands for the whole cluster: it is looked at when a node went, when a pod without a
// living node shows up, and when terminated pods pass their limit.
class PodGarbageController final : public KeyedController {
 public:
  PodGarbageController(Context& context, int terminated_max)
      : KeyedController(context),
        nodes_(needs(nodes)),
        pods_(needs(pods)),
        terminated_max_(static_cast<std::size_t>(std::max(0, terminated_max))) {
    watch(nodes, [this](const api::StoredObject&, const api::StoredObject& after) {
      if (after.empty()) queue_->add_after(kWholeCluster, kOrphanedPodQuarantine);
    });
    watch(pods, [this](const auto& before, const auto& after) { pod_changed(before, after); });
  }
  std::string_view name() const override { return "pod-garbage-collector"; }

 protected:
  void started() override { queue_->add_after(kWholeCluster, kOrphanedPodQuarantine); }

  Task<Status> sync(std::string) override {
    std::set<std::string, std::less<>> suspects, gone;
    std::vector<JsonPtr> all = candidates();
    for (const auto& pod : all) {
      std::string_view node = pod->at({"spec", "nodeName"}).as_string();
      if (!node.empty() && nodes_.get(node).empty()) suspects.emplace(node);
    }
    for (const std::string& node : suspects) {
      auto getting = context_.client.get(nodes, "", node);
      auto found = co_await std::move(getting);
      if (found.code() == base::Code::not_found)
        gone.insert(node);
      else if (!found.is_ok())
        co_return found.status();
    }
    auto is_gone = [&gone](std::string_view node) { return gone.count(node) != 0; };
    std::vector<PodGarbage> garbage = plan_pod_garbage(all, is_gone, terminated_max_);
    for (const PodGarbage& item : garbage) {
      Status removed = co_await remove(item.pod, item.reason_message);
      if (!removed.is_ok()) co_return removed;
    }
    co_return Status::ok();
  }

 private:
  // Trees of all pods at once would be several times their text.
  std::vector<JsonPtr> candidates() {
    std::vector<api::StoredObject> found;
    for (auto& object : pods_.list()) {
      SummaryPtr pod = context_.parsed.summary(object);
      const bool is_lost =
          pod->node_name.empty() ? pod->is_being_deleted : nodes_.get(pod->node_name).empty();
      if (is_lost || is_pod_terminal(*pod)) found.push_back(std::move(object));
    }
    return context_.parse_all(found);
  }

  void pod_changed(const api::StoredObject& before, const api::StoredObject& after) {
    auto is_terminal = [this](const api::StoredObject& object) {
      return is_pod_terminal(*context_.parsed.summary(object));
    };
    terminated_ -= is_terminal(before);
    terminated_ += is_terminal(after);
    if (terminated_ > static_cast<std::int64_t>(terminated_max_)) queue_->add(kWholeCluster);
    if (after.empty()) return;
    SummaryPtr pod = context_.parsed.summary(after);
    if (pod->node_name.empty() ? pod->is_being_deleted : nodes_.get(pod->node_name).empty())
      queue_->add_after(kWholeCluster, kOrphanedPodQuarantine);
  }

  Task<Status> remove(JsonPtr pod, std::string message) {
    if (!message.empty()) {
      Json changed = *pod;
      changed["status"].set("phase", "Failed");
      set_condition(changed["status"]["conditions"], "DisruptionTarget", "True", "DeletionByPodGC",
                    message, context_.now());
      auto updating = context_.client.update(pods, std::move(changed), "status");
      auto updated = co_await std::move(updating);
      if (updated.code() == base::Code::not_found) co_return Status::ok();
      if (!updated.is_ok()) co_return updated.status();
    }
    client::DeleteOptions options;
    options.uid = api::uid_of(*pod);
    options.grace_period_seconds = 0;
    auto removing = context_.client.remove(pods, std::string(api::namespace_of(*pod)),
                                           std::string(api::name_of(*pod)), options);
    Status removed = co_await std::move(removing);
    co_return removed.code() == base::Code::not_found ? Status::ok() : removed;
  }

  client::Informer& nodes_;
  client::Informer& pods_;
  const std::size_t terminated_max_;
  std::int64_t terminated_ = 0;
};

}  // namespace

std::unique_ptr<Controller> make_pod_garbage_controller(Context& context, int terminated_max) {
  return std::make_unique<PodGarbageController>(context, terminated_max);
}

}  // namespace skiff::controllers
