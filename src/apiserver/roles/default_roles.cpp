#include "apiserver/roles/default_roles.h"

#include <skiff/auth/rbac.h>
#include <skiff/base/strings.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace skiff::apiserver {

using codec::Json;

namespace {

namespace r = client::resources;

constexpr std::string_view kAggregateTo = "rbac.authorization.k8s.io/aggregate-to-";

std::string api_version() { return base::concat(auth::kRbacGroup, "/v1"); }

// `name` is "namespace/name" or "name".
Json object_of(std::string_view kind, std::string_view name) {
  Json metadata = Json::object({{"name", name.substr(name.find('/') + 1)}});
  if (auto slash = name.find('/'); slash != name.npos) {
    metadata.set("namespace", name.substr(0, slash));
  }
  metadata.set("labels", Json::object({{"kubernetes.io/bootstrapping", "rbac-defaults"}}));
  metadata.set("annotations",
               Json::object({{"rbac.authorization.kubernetes.io/autoupdate", "true"}}));
  return Json::object(
      {{"apiVersion", api_version()}, {"kind", kind}, {"metadata", std::move(metadata)}});
}

Json list_of(std::string_view words) {
  Json list = Json::array();
  for (auto word : base::split(words, ',')) list.push_back(word == "core" ? "" : word);
  return list;
}

Json verbs_of(std::string_view words) {
  std::vector<std::string> verbs;
  for (auto word : base::split(words, ',')) {
    if (word == "read") {
      verbs.insert(verbs.end(), {"get", "list", "watch"});
    } else if (word == "write") {
      verbs.insert(verbs.end(), {"create", "delete", "deletecollection", "patch", "update"});
    } else {
      verbs.emplace_back(word);
    }
  }
  std::sort(verbs.begin(), verbs.end());
  Json list = Json::array();
  for (auto& verb : verbs) list.push_back(std::move(verb));
  return list;
}

Json rule_of(const std::vector<std::string_view>& words) {
  SKIFF_ASSERT(words.size() == 3 || words.size() == 4);
  Json rule = Json::object({{"verbs", verbs_of(words[0])}});
  if (words[1] == "urls") {
    rule.set("nonResourceURLs", list_of(words[2]));
    return rule;
  }
  rule.set("apiGroups", list_of(words[1]));
  rule.set("resources", list_of(words[2]));
  if (words.size() == 4) rule.set("resourceNames", list_of(words[3]));
  return rule;
}

Json subject_of(std::string_view kind, std::string_view name) {
  if (kind == "account") {
    auto slash = name.find('/');
    return Json::object({{"kind", "ServiceAccount"},
                         {"name", name.substr(slash + 1)},
                         {"namespace", name.substr(0, slash)}});
  }
  return Json::object({{"apiGroup", auth::kRbacGroup},
                       {"kind", kind == "user" ? "User" : "Group"},
                       {"name", name}});
}

void add_option(Json& object, std::string_view option) {
  auto equals = option.find('=');
  auto key = option.substr(0, equals);
  auto value = option.substr(equals + 1);
  if (key == "to") {
    object["metadata"]["labels"].set(base::concat(kAggregateTo, value), "true");
  } else if (key == "from") {
    Json labels = Json::object({{base::concat(kAggregateTo, value), "true"}});
    object.set("aggregationRule",
               Json::object({{"clusterRoleSelectors",
                              Json::array({Json::object({{"matchLabels", std::move(labels)}})})}}));
  } else if (key == "role") {
    object["roleRef"].set("name", value);
  } else {
    object["subjects"].push_back(subject_of(key, value));
  }
}

Json binding_of(std::string_view kind, std::string_view role_kind, std::string_view name) {
  Json object = object_of(kind, name);
  object.set("roleRef", Json::object({{"apiGroup", auth::kRbacGroup},
                                      {"kind", role_kind},
                                      {"name", name.substr(name.find('/') + 1)}}));
  return object;
}

DefaultObject start_object(std::string_view word, std::string_view name) {
  if (word == "cluster-role") return {r::cluster_roles, object_of("ClusterRole", name)};
  if (word == "role") return {r::roles, object_of("Role", name)};
  if (word == "cluster-binding") {
    return {r::cluster_role_bindings, binding_of("ClusterRoleBinding", "ClusterRole", name)};
  }
  SKIFF_ASSERT(word == "binding");
  return {r::role_bindings, binding_of("RoleBinding", "Role", name)};
}

// An unindented line: the object before it is complete.
DefaultObject next_object(const std::vector<std::string_view>& words,
                          base::UniqueFunction<void(DefaultObject)>& visit) {
  if (words[0] == "controller") {
    const std::string name = base::concat("system:controller:", words[1]);
    auto binding = start_object("cluster-binding", name);
    add_option(binding.object, base::concat("account=kube-system/", words[1]));
    visit(std::move(binding));
    return start_object("cluster-role", name);
  }
  auto next = start_object(words[0], words[1]);
  for (std::size_t i = 2; i < words.size(); ++i) add_option(next.object, words[i]);
  return next;
}

}  // namespace

void visit_default_roles(std::string_view text, base::UniqueFunction<void(DefaultObject)> visit) {
  std::optional<DefaultObject> current;
  for (auto line : base::split(text, '\n')) {
    if (line.empty()) continue;
    auto words = base::split(base::trim(line), ' ');
    if (line[0] == ' ') {
      SKIFF_ASSERT(current.has_value());
      current->object["rules"].push_back(rule_of(words));
      continue;
    }
    if (current) visit(std::move(*current));
    current = next_object(words, visit);
  }
  if (current) visit(std::move(*current));
}

}  // namespace skiff::apiserver
