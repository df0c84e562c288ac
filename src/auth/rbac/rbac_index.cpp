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

// The objects of a kind in the making: those that are in `before` with the same revision are taken
// from there. Thread-compatible.
template <class T>
class Refresh {
 public:
  using List = std::vector<std::shared_ptr<const T>>;
  explicit Refresh(const List* before) : before_(before) {}

  // In the order of keys.
  template <class Compile>
  void add(std::string_view key, const api::StoredObject& object, Compile compile) {
    const std::size_t known = before_ == nullptr ? 0 : before_->size();
    while (at_ < known && std::string_view((*before_)[at_]->key) < key) ++at_;
    if (at_ < known && (*before_)[at_]->key == key &&
        (*before_)[at_]->revision == object.revision()) {
      list_.push_back((*before_)[at_]);
      return;
    }
    auto tree = object.parse();
    if (tree.is_ok()) list_.push_back(compile(*tree));
  }
  List take() { return std::move(list_); }

 private:
  const List* before_;
  std::size_t at_ = 0;
  List list_;
};

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
  const RbacIndex* b = before;
  Refresh<CompiledRole> cluster_roles(b == nullptr ? nullptr : &b->cluster_roles_);
  Refresh<CompiledRole> roles(b == nullptr ? nullptr : &b->roles_);
  Refresh<CompiledBinding> cluster_bindings(b == nullptr ? nullptr : &b->cluster_bindings_);
  Refresh<CompiledBinding> bindings(b == nullptr ? nullptr : &b->bindings_);
  source.scan([&](Kind kind, std::string_view key, const api::StoredObject& object) {
    auto role = [&](const Json& tree) { return CompiledRole::make(key, object.revision(), tree); };
    auto binding = [&](const Json& tree) {
      return CompiledBinding::make(key, object.revision(), kind == Kind::cluster_role_binding,
                                   tree);
    };
    switch (kind) {
      case Kind::cluster_role: cluster_roles.add(key, object, role); break;
      case Kind::role: roles.add(key, object, role); break;
      case Kind::cluster_role_binding: cluster_bindings.add(key, object, binding); break;
      case Kind::role_binding: bindings.add(key, object, binding); break;
    }
  });
  index->cluster_roles_ = cluster_roles.take();
  index->roles_ = roles.take();
  index->cluster_bindings_ = cluster_bindings.take();
  index->bindings_ = bindings.take();
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
