#include "auth/rbac/rbac_index.h"

#include <skiff/base/strings.h>

#include <algorithm>
#include <functional>

namespace skiff::auth {

using codec::Json;

namespace {

std::string_view namespace_of_key(std::string_view key) {
  auto slash = key.find('/');
  return slash == key.npos ? std::string_view() : key.substr(0, slash);
}
std::string_view name_of_key(std::string_view key) { return key.substr(key.find('/') + 1); }

std::string account_user(std::string_view namespace_name, std::string_view name) {
  return base::concat("system:serviceaccount:", namespace_name, ":", name);
}

// The objects of a kind; those that are in `before` with the same revision are taken from there.
template <class T, class Compile>
std::vector<std::shared_ptr<const T>> refresh(const RoleSource& source, RoleSource::Kind kind,
                                              const std::vector<std::shared_ptr<const T>>* before,
                                              Compile compile) {
  std::vector<std::shared_ptr<const T>> result;
  std::size_t at = 0;
  const std::size_t known = before == nullptr ? 0 : before->size();
  if (before != nullptr) result.reserve(before->size() + 1);
  source.scan(kind, [&](std::string_view key, const api::StoredObject& object) {
    while (at < known && std::string_view((*before)[at]->key) < key) ++at;
    const bool same =
        at < known && (*before)[at]->key == key && (*before)[at]->revision == object.revision();
    if (same) {
      result.push_back((*before)[at]);
      return;
    }
    auto tree = object.parse();
    if (tree.is_ok()) result.push_back(compile(key, object.revision(), *tree));
  });
  return result;
}

}  // namespace

std::shared_ptr<const CompiledBinding> CompiledBinding::make(std::string_view key,
                                                             std::uint64_t revision,
                                                             bool cluster_wide, const Json& tree) {
  auto binding = std::make_shared<CompiledBinding>();
  binding->key = key;
  binding->revision = revision;
  const Json& reference = tree["roleRef"];
  binding->role_kind = reference["kind"].as_string();
  binding->role_name = reference["name"].as_string();
  binding->refers_to_cluster_role = binding->role_kind == "ClusterRole";
  for (const auto& subject : tree["subjects"].items()) {
    auto kind = subject["kind"].as_string();
    auto name = subject["name"].as_string();
    if (kind == "User") {
      binding->subjects.push_back({SubjectKind::user, false, std::string(name)});
    } else if (kind == "Group") {
      binding->subjects.push_back({SubjectKind::group, false, std::string(name)});
    } else if (kind == "ServiceAccount") {
      auto where = subject["namespace"].as_string();
      if (where.empty() && !cluster_wide) where = namespace_of_key(key);
      if (where.empty()) continue;
      binding->subjects.push_back({SubjectKind::user, true, account_user(where, name)});
    }
  }
  binding->subjects.shrink_to_fit();
  return binding;
}

std::string_view CompiledBinding::namespace_name() const { return namespace_of_key(key); }
std::string_view CompiledBinding::name() const { return name_of_key(key); }

std::string CompiledBinding::missing_role() const {
  return base::concat(refers_to_cluster_role ? "clusterrole." : "role.", kRbacGroup, " ",
                      base::quote(role_name), " not found");
}

std::string CompiledBinding::describe(const Subject& subject) const {
  const auto where = namespace_name();
  std::string shown = where.empty() ? std::string(name()) : base::concat(name(), "/", where);
  std::string who = subject.name;
  std::string_view kind = subject.kind == SubjectKind::user ? "User" : "Group";
  if (subject.is_account) {
    kind = "ServiceAccount";
    auto parts = base::split(subject.name, ':');
    who = base::concat(parts[3], "/", parts[2]);
  }
  return base::concat(where.empty() ? "ClusterRoleBinding " : "RoleBinding ", base::quote(shown),
                      " of ", role_kind, " ", base::quote(role_name), " to ", kind, " ",
                      base::quote(who));
}

std::shared_ptr<const RbacIndex> RbacIndex::make(const RoleSource& source, std::uint64_t version,
                                                 const RbacIndex* before) {
  using Kind = RoleSource::Kind;
  auto index = std::make_shared<RbacIndex>();
  index->version_ = version;
  auto role = [](std::string_view key, std::uint64_t revision, const Json& tree) {
    return CompiledRole::make(key, revision, tree);
  };
  auto binding = [](bool cluster_wide) {
    return [cluster_wide](std::string_view key, std::uint64_t revision, const Json& tree) {
      return CompiledBinding::make(key, revision, cluster_wide, tree);
    };
  };
  const RbacIndex* b = before;
  index->cluster_roles_ = refresh<CompiledRole>(source, Kind::cluster_role,
                                                b == nullptr ? nullptr : &b->cluster_roles_, role);
  index->roles_ =
      refresh<CompiledRole>(source, Kind::role, b == nullptr ? nullptr : &b->roles_, role);
  index->cluster_bindings_ =
      refresh<CompiledBinding>(source, Kind::cluster_role_binding,
                               b == nullptr ? nullptr : &b->cluster_bindings_, binding(true));
  index->bindings_ = refresh<CompiledBinding>(
      source, Kind::role_binding, b == nullptr ? nullptr : &b->bindings_, binding(false));
  std::size_t subjects = 0;
  for (const auto& one : index->cluster_bindings_) subjects += one->subjects.size();
  for (const auto& one : index->bindings_) subjects += one->subjects.size();
  index->grants_.reserve(subjects);
  index->add_grants(index->cluster_bindings_);
  index->add_grants(index->bindings_);
  std::stable_sort(index->grants_.begin(), index->grants_.end(),
                   [](const Grant& a, const Grant& b) { return a.hash < b.hash; });
  return index;
}

void RbacIndex::add_grants(const Bindings& bindings) {
  for (const auto& binding : bindings) {
    const auto where = binding->namespace_name();
    const auto* role = find_role(binding->refers_to_cluster_role, where, binding->role_name);
    for (const auto& subject : binding->subjects) {
      grants_.push_back(
          {hash_of(where, subject.kind, subject.name), binding.get(), &subject, role});
    }
  }
}

const CompiledRole* RbacIndex::find_role(bool cluster_role, std::string_view namespace_name,
                                         std::string_view name) const {
  if (!cluster_role && namespace_name.empty()) return nullptr;
  const Roles& roles = cluster_role ? cluster_roles_ : roles_;
  std::string key(name);
  if (!cluster_role) key = base::concat(namespace_name, "/", name);
  auto found = std::lower_bound(roles.begin(), roles.end(), key,
                                [](const auto& role, auto& k) { return role->key < k; });
  return found != roles.end() && (*found)->key == key ? found->get() : nullptr;
}

std::uint64_t RbacIndex::hash_of(std::string_view namespace_name, SubjectKind kind,
                                 std::string_view name) {
  const std::hash<std::string_view> hash;
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;
  return (hash(name) * kOdd) ^ hash(namespace_name) ^ (kind == SubjectKind::group ? 1u : 0u);
}

const RbacIndex::Grant* RbacIndex::first_at(std::uint64_t hash) const {
  return std::lower_bound(grants_.data(), end(), hash,
                          [](const Grant& grant, std::uint64_t h) { return grant.hash < h; });
}

}  // namespace skiff::auth
