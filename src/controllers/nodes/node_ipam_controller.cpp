#include "controllers/list_of_controllers.h"

#include <skiff/base/strings.h>

#include <set>

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::nodes;

std::string block_of(const api::StoredObject& node) {
  if (node.empty()) return {};
  return api::scan_string(node.text(), {"spec", "podCIDR"}).value_or("");
}

// Gives every node its block of pod addresses. Blocks in flight are remembered, because the
// informer may be behind our own writes.
class NodeIpamController final : public KeyedController {
 public:
  NodeIpamController(Context& context, const NodeCidrRange& range)
      : KeyedController(context),
        nodes_(needs(nodes)),
        recorder_(context.recorder("cidrAllocator")),
        pool_(range) {
    watch(nodes, [this](const auto& before, const auto& after) { node_changed(before, after); });
  }
  std::string_view name() const override { return "node-ipam"; }

 protected:
  Task<Status> sync(std::string key) override {
    api::StoredObject node = nodes_.get(key);
    if (node.empty()) co_return Status::ok();
    if (!block_of(node).empty()) {
      forget(key);
      co_return Status::ok();
    }
    auto& block = pending_[key];
    if (block.empty()) {
      auto free = pool_.first_free();
      if (!free) {
        pending_.erase(key);
        if (waiting_.insert(key).second)
          recorder_->event(*context_.parsed.parse(node), client::EventType::normal,
                           "CIDRNotAvailable",
                           base::concat("Node ", key, " status is now: CIDRNotAvailable"));
        co_return Status::ok();
      }
      waiting_.erase(key);
      pool_.take(*free);
      block = *free;
    }
    Json patch = Json::object();
    patch["metadata"].set("uid", node.uid());
    patch["spec"].set("podCIDR", block);
    patch["spec"].set("podCIDRs", Json::array({Json(block)}));
    auto patching =
        context_.client.patch(nodes, "", key, client::PatchType::merge, std::move(patch));
    auto patched = co_await std::move(patching);
    co_return patched.status();
  }

 private:
  void node_changed(const api::StoredObject& before, const api::StoredObject& after) {
    const std::string old_block = block_of(before), block = block_of(after);
    if (old_block != block) {
      pool_.give_back(old_block);
      pool_.take(block);
    }
    std::string key(after.empty() ? before.name() : after.name());
    if (after.empty()) forget(key);
    if (!after.empty() && block.empty()) queue_->add(key);
    if (!block.empty()) forget(key);
    const bool is_some_free = after.empty() || (!old_block.empty() && old_block != block);
    if (!is_some_free) return;
    for (const std::string& node : waiting_) queue_->add(node);
  }

  // The node has its block, or is gone.
  void forget(const std::string& key) {
    waiting_.erase(key);
    auto pending = pending_.find(key);
    if (pending == pending_.end()) return;
    pool_.give_back(pending->second);
    pending_.erase(pending);
  }

  client::Informer& nodes_;
  std::unique_ptr<client::EventRecorder> recorder_;
  NodeCidrPool pool_;
  std::map<std::string, std::string> pending_;  // given, but not seen at the node yet
  std::set<std::string> waiting_;               // nodes for which there was none
};

}  // namespace

std::unique_ptr<Controller> make_node_ipam_controller(Context& context,
                                                      const NodeCidrRange& range) {
  return std::make_unique<NodeIpamController>(context, range);
}

}  // namespace skiff::controllers
