#include "apiserver/pod_source.h"

#include <skiff/registry/registry.h>

namespace skiff::apiserver {

namespace {

// Thread-safe.
class HubPods final : public auth::PodSource {
 public:
  explicit HubPods(watch::Hub& hub) : hub_(hub), latest_(hub.track(prefix_)) {}

  std::uint64_t version() const override { return latest_->load(); }

  std::uint64_t scan(Visit visit) const override {
    const auto snapshot = hub_.snapshot();
    snapshot.scan(prefix_, {}, [&](const watch::Entry& entry) {
      visit(entry.key.substr(prefix_.size()), api::StoredObject(entry.value, entry.revision));
      return true;
    });
    return snapshot.revision();
  }

  std::optional<std::uint64_t> changes(std::uint64_t since, Visit visit) const override {
    const auto wanted = latest_->load();
    auto batch = hub_.changes_after(prefix_, since);
    // A change is in the index for a moment before it is in the ring.
    if (!batch.is_ok() || batch->upto < wanted) return std::nullopt;
    for (const auto& change : batch->changes) {
      api::StoredObject pod;
      if (change->type != watch::Change::Type::removed) pod = {change->value, change->revision};
      visit(std::string_view(change->key).substr(prefix_.size()), pod);
    }
    return batch->upto;
  }

 private:
  const watch::Hub& hub_;
  const std::string prefix_ = registry::storage_prefix("", "pods", "");
  const std::shared_ptr<const std::atomic<watch::Revision>> latest_;
};

}  // namespace

std::unique_ptr<auth::PodSource> make_pod_source(watch::Hub& hub) {
  return std::make_unique<HubPods>(hub);
}

}  // namespace skiff::apiserver
