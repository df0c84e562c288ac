// Roles and bindings in memory.
#pragma once

#include <skiff/auth/rbac.h>
#include <skiff/base/strings.h>

#include <map>
#include <string>

namespace skiff::test {

class FakeRoles final : public auth::RoleSource {
 public:
  // `rules` is the JSON text of a list; an empty namespace makes a ClusterRole.
  void role(const std::string& where, const std::string& name, const std::string& rules) {
    put(where.empty() ? Kind::cluster_role : Kind::role, where, name, "\"rules\":" + rules);
  }
  void bind(const std::string& where, const std::string& name, const std::string& role_kind,
            const std::string& role_name, const std::string& subjects) {
    put(where.empty() ? Kind::cluster_role_binding : Kind::role_binding, where, name,
        "\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"" + role_kind +
            "\",\"name\":\"" + role_name + "\"},\"subjects\":" + subjects);
  }
  void remove(Kind kind, const std::string& key) {
    objects_[kind].erase(key);
    ++version_;
  }
  std::uint64_t version() const override { return version_; }
  void scan(Visit visit) const override {
    ++scans;
    for (const auto& [kind, objects] : objects_) {
      for (const auto& [key, object] : objects) visit(kind, key, object);
    }
  }
  mutable int scans = 0;

 private:
  void put(Kind kind, const std::string& where, const std::string& name, const std::string& body) {
    auto tree = codec::parse_json("{\"metadata\":{\"name\":\"" + name + "\"}," + body + "}");
    SKIFF_ASSERT(tree.is_ok());
    const std::string key = where.empty() ? name : where + "/" + name;
    objects_[kind][key] = api::StoredObject(api::StoredObject::encode(*tree), ++version_);
  }
  std::map<Kind, std::map<std::string, api::StoredObject>> objects_;
  std::uint64_t version_ = 0;
};

inline std::string user_subject(const std::string& name) {
  return R"([{"kind":"User","name":")" + name + "\"}]";
}
inline std::string group_subject(const std::string& name) {
  return R"([{"kind":"Group","name":")" + name + "\"}]";
}

}  // namespace skiff::test
