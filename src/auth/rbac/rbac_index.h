// All roles and bindings, by the users and groups that they are for.
#pragma once

#include <skiff/auth/rbac.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/rbac/compiled_role.h"

namespace skiff::auth {

enum class SubjectKind : unsigned char { user, group };

// Immutable.
struct CompiledBinding {
  struct Subject {
    SubjectKind kind;
    bool is_account;
    std::string name;  // of a service account: its user name
  };
  static std::shared_ptr<const CompiledBinding> make(std::string_view key, std::uint64_t revision,
                                                     bool cluster_wide, const codec::Json& binding);
  std::string_view namespace_name() const;  // empty: cluster-wide
  std::string_view name() const;
  // "clusterrole.rbac.authorization.k8s.io "x" not found".
  std::string missing_role() const;
  // "RoleBinding "x/n" of ClusterRole "view" to User "jane"".
  std::string describe(const Subject& subject) const;

  std::string key;
  std::uint64_t revision = 0;
  bool refers_to_cluster_role = false;
  std::string role_kind, role_name;
  std::vector<Subject> subjects;
};

// Immutable.
class RbacIndex {
 public:
  // What is unchanged since `before` is taken from there.
  static std::shared_ptr<const RbacIndex> make(const RoleSource& source, std::uint64_t version,
                                               const RbacIndex* before);

  std::uint64_t version() const { return version_; }
  const CompiledRole* find_role(bool cluster_role, std::string_view namespace_name,
                                std::string_view name) const;

  // One binding that holds for somebody. `role` is null when it is not there.
  struct Grant {
    std::uint64_t hash;
    const CompiledBinding* binding;
    const CompiledBinding::Subject* subject;
    const CompiledRole* role;
  };
  // Calls `visit` with each grant in the namespace (empty: cluster-wide) for the user or group of
  // that name until it returns false. Allocates nothing.
  template <class Visit>
  bool visit_subject(std::string_view namespace_name, SubjectKind kind, std::string_view name,
                     Visit visit) const {
    const auto hash = hash_of(namespace_name, kind, name);
    for (const Grant* grant = first_at(hash); grant != end() && grant->hash == hash; ++grant) {
      if (grant->subject->kind != kind || grant->subject->name != name ||
          grant->binding->namespace_name() != namespace_name) {
        continue;
      }
      if (!visit(*grant)) return false;
    }
    return true;
  }
  // The same for all that the user is, cluster-wide first.
  template <class Visit>
  bool visit_user(const User& user, std::string_view namespace_name, Visit visit) const {
    for (int scope = 0; scope < (namespace_name.empty() ? 1 : 2); ++scope) {
      const auto where = scope == 0 ? std::string_view() : namespace_name;
      if (!visit_subject(where, SubjectKind::user, user.name, visit)) return false;
      for (const auto& group : user.groups) {
        if (!visit_subject(where, SubjectKind::group, group, visit)) return false;
      }
    }
    return true;
  }

 private:
  using Roles = std::vector<std::shared_ptr<const CompiledRole>>;
  using Bindings = std::vector<std::shared_ptr<const CompiledBinding>>;
  static std::uint64_t hash_of(std::string_view namespace_name, SubjectKind kind,
                               std::string_view name);
  const Grant* first_at(std::uint64_t hash) const;
  const Grant* end() const { return grants_.data() + grants_.size(); }
  void add_grants(const Bindings& bindings);

  std::uint64_t version_ = 0;
  // Each in the order of its keys.
  Roles cluster_roles_, roles_;
  Bindings cluster_bindings_, bindings_;
  std::vector<Grant> grants_;  // by hash
};

}  // namespace skiff::auth
