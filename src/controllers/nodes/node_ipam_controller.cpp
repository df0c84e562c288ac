#include "controllers/list_of_controllers.h"

#include <skiff/base/strings.h>

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::nodes;

// Gives every node its block of pod addresses. Blocks in flight are remembered, because the
// informer may be behind our own writes.
class NodeIpamController final : public KeyedController {
 public:
  NodeIpamController(Context& context, const NodeCidrRange& range)
      : KeyedController(context),
        nodes_(needs(nodes)),
        recorder_(context.recorder("cidrAllocator")),
        range_(range) {
    enqueue_on_change(nodes);
    nodes_.add_handler([this](const api::StoredObject& before, const api::StoredObject& after) {
      if (!after.empty()) return;
      pending_.erase(std::string(before.name()));
      // A block is free again: others may have waited for it.
      for (const auto& node : nodes_.list()) queue_->add(std::string(node.name()));
    });
  }
  std::string_view name() const override { return "node-ipam"; }

 protected:
  Task<Status> sync(std::string key) override {
    JsonPtr node = context_.find(nodes_, key);
    if (!node) co_return Status::ok();
    if (!node->at({"spec", "podCIDR"}).empty()) {
      pending_.erase(key);
      co_return Status::ok();
    }
    auto& block = pending_[key];
    if (block.empty()) {
      auto free = range_.first_free(used());
      if (!free) {
        pending_.erase(key);
        recorder_->event(*node, client::EventType::normal, "CIDRNotAvailable",
                         base::concat("Node ", key, " status is now: CIDRNotAvailable"));
        co_return Status::ok();
      }
      block = *free;
    }
    Json patch = Json::object();
    patch["metadata"].set("uid", node->at({"metadata", "uid"}));
    patch["spec"].set("podCIDR", block);
    patch["spec"].set("podCIDRs", Json::array({Json(block)}));
    auto patching =
        context_.client.patch(nodes, "", key, client::PatchType::merge, std::move(patch));
    auto patched = co_await std::move(patching);
    co_return patched.status();
  }

 private:
  std::set<std::string> used() const {
    std::set<std::string> used;
    for (const auto& [node, block] : pending_) used.insert(block);
    for (const auto& node : nodes_.list())
      if (auto block = api::scan_string(node.text(), {"spec", "podCIDR"})) used.insert(*block);
    return used;
  }

  client::Informer& nodes_;
  std::unique_ptr<client::EventRecorder> recorder_;
  const NodeCidrRange range_;
  std::map<std::string, std::string> pending_;
};

}  // namespace

std::unique_ptr<Controller> make_node_ipam_controller(Context& context,
                                                      const NodeCidrRange& range) {
  return std::make_unique<NodeIpamController>(context, range);
}

}  // namespace skiff::controllers
