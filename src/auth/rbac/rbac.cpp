#include <skiff/auth/rbac.h>
#include <skiff/base/strings.h>

#include <algorithm>
#include <mutex>

#include "auth/rbac/plan_rbac.h"

namespace skiff::auth {

namespace {

// Thread-safe. The index is made anew by the first decision after a change, from what has not
// changed and what has.
class IndexedRbac final : public Rbac {
 public:
  explicit IndexedRbac(const RoleSource& source) : source_(source) {}

  Decision authorize(const Attributes& attributes) const override {
    return plan_rbac(*current(), attributes);
  }

  ResolvedRules rules_for(const User& user, std::string_view namespace_name) const override {
    auto index = current();
    std::vector<const CompiledBinding*> seen;
    ResolvedRules result;
    index->visit_user(user, namespace_name, [&](const RbacIndex::Grant& grant) {
      if (std::find(seen.begin(), seen.end(), grant.binding) != seen.end()) return true;
      seen.push_back(grant.binding);
      if (grant.role == nullptr) {
        result.errors.push_back(grant.binding->missing_role());
      } else {
        grant.role->append_rules(result.rules);
      }
      return true;
    });
    result.owner = std::move(index);
    return result;
  }

  std::optional<ResolvedRules> role_rules(std::string_view kind, std::string_view name,
                                          std::string_view namespace_name) const override {
    auto index = current();
    const auto* role = index->find_role(kind == "ClusterRole", namespace_name, name);
    if (role == nullptr) return std::nullopt;
    ResolvedRules result;
    role->append_rules(result.rules);
    result.owner = std::move(index);
    return result;
  }

 private:
  std::shared_ptr<const RbacIndex> latest() const {
    std::lock_guard lock(mutex_);
    return index_;
  }

  std::shared_ptr<const RbacIndex> current() const {
    auto index = latest();
    if (index != nullptr && index->version() == source_.version()) return index;
    std::lock_guard making(making_);
    index = latest();
    const auto version = source_.version();
    if (index != nullptr && index->version() == version) return index;
    auto fresh = RbacIndex::make(source_, version, index.get());
    std::lock_guard lock(mutex_);
    index_ = fresh;
    return fresh;
  }

  const RoleSource& source_;
  mutable std::mutex making_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const RbacIndex> index_;  // under mutex_
};

}  // namespace

std::unique_ptr<Rbac> make_rbac(const RoleSource& source) {
  return std::make_unique<IndexedRbac>(source);
}

}  // namespace skiff::auth
