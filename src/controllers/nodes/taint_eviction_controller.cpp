#include "controllers/list_of_controllers.h"
#include "controllers/nodes/plan_taint_eviction.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <map>

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::nodes;
using client::resources::pods;

// Keys are nodes: a sync looks at every pod of one node, and comes again when the next has to
// leave.
class TaintEvictionController final : public KeyedController {
 public:
  explicit TaintEvictionController(Context& context)
      : KeyedController(context),
        nodes_(needs(nodes)),
        pods_(needs(pods)),
        recorder_(context.recorder("taint-eviction-controller")) {
    enqueue_on_change(nodes);
    watch(pods, [this](const api::StoredObject& before, const api::StoredObject& after) {
      if (after.empty()) return;
      SummaryPtr pod = context_.parsed.summary(after);
      if (pod->node_name.empty()) return;
      if (context_.parsed.summary(before)->node_name != pod->node_name) queue_->add(pod->node_name);
    });
  }
  std::string_view name() const override { return "taint-eviction"; }

 protected:
  Task<Status> sync(std::string key) override {
    JsonPtr node = context_.find(nodes_, key);
    if (!node || !has_no_execute(*node)) {
      first_seen_.erase(key);
      co_return Status::ok();
    }
    look_at_taints(key, *node);
    auto age_of = [this, key](const Json& taint) { return age_of_taint(key, taint); };
    std::optional<base::Duration> next;
    for (const auto& object : pods_.by_index("node", key)) {
      JsonPtr pod = context_.parsed.parse(object);
      if (!is_pod_active(*pod)) continue;
      auto created = time_at(*pod, {"metadata", "creationTimestamp"});
      const base::Duration pod_age =
          created ? context_.ages.age_of(*created) : base::Duration::max();
      auto stay = plan_taint_eviction(*pod, *node, age_of, pod_age);
      if (!stay) continue;
      if (stay->count() > 0) {
        next = next ? std::min(*next, *stay) : *stay;
        continue;
      }
      SKIFF_CO_RETURN_IF_ERROR(co_await evict(pod));
    }
    if (next) queue_->add_after(key, *next);
    co_return Status::ok();
  }

 private:
  static std::string taint_key(const Json& taint) {
    return base::concat(taint["key"].as_string(), '=', taint["value"].as_string(), ':',
                        taint["effect"].as_string());
  }

  // `kubectl taint` gives no time: such a taint is as old as our knowledge of it.
  void look_at_taints(const std::string& node_name, const Json& node) {
    std::map<std::string, base::MonotonicTime> seen;
    auto& before = first_seen_[node_name];
    for (const Json& taint : node.at({"spec", "taints"}).items()) {
      std::string key = taint_key(taint);
      auto known = before.find(key);
      seen[key] = known == before.end() ? context_.timers.clock().monotonic() : known->second;
    }
    before = std::move(seen);
  }

  base::Duration age_of_taint(const std::string& node_name, const Json& taint) {
    if (auto added = time_at(taint, {"timeAdded"})) return context_.ages.age_of(*added);
    return context_.timers.clock().monotonic() - first_seen_[node_name][taint_key(taint)];
  }

  static bool has_no_execute(const Json& node) {
    for (const Json& taint : node.at({"spec", "taints"}).items())
      if (taint["effect"].as_string() == "NoExecute") return true;
    return false;
  }

  Task<Status> evict(JsonPtr pod) {
    recorder_->event(*pod, client::EventType::normal, "TaintManagerEviction",
                     base::concat("Marking for deletion Pod ", api::object_key(*pod)));
    Json changed = *pod;
    set_condition(changed["status"]["conditions"], "DisruptionTarget", "True",
                  "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint",
                  context_.now());
    auto updating = context_.client.update(pods, std::move(changed), "status");
    auto updated = co_await std::move(updating);
    if (updated.code() == base::Code::not_found) co_return Status::ok();
    if (!updated.is_ok()) co_return updated.status();
    client::DeleteOptions options;
    options.uid = api::uid_of(*pod);
    auto removing = context_.client.remove(pods, std::string(api::namespace_of(*pod)),
                                           std::string(api::name_of(*pod)), options);
    Status removed = co_await std::move(removing);
    co_return removed.code() == base::Code::not_found ? Status::ok() : removed;
  }

  client::Informer& nodes_;
  client::Informer& pods_;
  std::unique_ptr<client::EventRecorder> recorder_;
  // When a taint of a node was first seen.
  std::map<std::string, std::map<std::string, base::MonotonicTime>> first_seen_;
};

}  // namespace

std::unique_ptr<Controller> make_taint_eviction_controller(Context& context) {
  return std::make_unique<TaintEvictionController>(context);
}

}  // namespace skiff::controllers
