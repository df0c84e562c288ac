#include "apiserver/roles/role_source.h"

#include <skiff/base/strings.h>
#include <skiff/registry/registry.h>

namespace skiff::apiserver {

namespace {

using Kind = auth::RoleSource::Kind;

std::string_view resource_of(Kind kind) {
  switch (kind) {
    case Kind::cluster_role: return "clusterroles";
    case Kind::role: return "roles";
    case Kind::cluster_role_binding: return "clusterrolebindings";
    case Kind::role_binding: break;
  }
  return "rolebindings";
}

// Thread-safe.
class HubRoles final : public auth::RoleSource {
 public:
  explicit HubRoles(watch::Hub& hub)
      : hub_(hub), latest_(hub.track(base::concat("/", auth::kRbacGroup, "/"))) {}

  std::uint64_t version() const override { return latest_->load(); }

  void scan(Visit visit) const override {
    const auto snapshot = hub_.snapshot();
    for (auto kind :
         {Kind::cluster_role, Kind::role, Kind::cluster_role_binding, Kind::role_binding}) {
      const auto prefix = registry::storage_prefix(auth::kRbacGroup, resource_of(kind), "");
      snapshot.scan(prefix, {}, [&](const watch::Entry& entry) {
        visit(kind, entry.key.substr(prefix.size()),
              api::StoredObject(entry.value, entry.revision));
        return true;
      });
    }
  }

 private:
  const watch::Hub& hub_;
  const std::shared_ptr<const std::atomic<watch::Revision>> latest_;
};

}  // namespace

std::unique_ptr<auth::RoleSource> make_role_source(watch::Hub& hub) {
  return std::make_unique<HubRoles>(hub);
}

}  // namespace skiff::apiserver
