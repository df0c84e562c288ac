// Roles and bindings.
#include "api/rules/kind_rules.h"

namespace skiff::api::rules {

using codec::Json;

namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";

void validate_rule(const Json& rule, bool namespaced, const std::string& path, ErrorList& errors) {
  if (rule["verbs"].empty())
    errors.required(child(path, "verbs"), "verbs must contain at least one value");
  const Json& urls = rule["nonResourceURLs"];
  if (!urls.empty()) {
    if (namespaced)
      errors.invalid(child(path, "nonResourceURLs"), urls,
                     "namespaced rules cannot apply to non-resource URLs");
    if (!rule["apiGroups"].empty() || !rule["resources"].empty() || !rule["resourceNames"].empty())
      errors.invalid(child(path, "nonResourceURLs"), urls,
                     "rules cannot apply to both regular resources and non-resource URLs");
    return;
  }
  if (rule["apiGroups"].empty())
    errors.required(child(path, "apiGroups"), "resource rules must supply at least one api group");
  if (rule["resources"].empty())
    errors.required(child(path, "resources"), "resource rules must supply at least one resource");
}

void validate_rules(const Json& role, bool namespaced, ErrorList& errors) {
  const auto& rules = role["rules"].items();
  for (std::size_t i = 0; i < rules.size(); ++i)
    validate_rule(rules[i], namespaced, index("rules", i), errors);
}

void validate_aggregation(const Json& rule, ErrorList& errors) {
  if (rule.is_null()) return;
  const std::string path = "aggregationRule.clusterRoleSelectors";
  const auto& selectors = rule["clusterRoleSelectors"].items();
  if (selectors.empty())
    errors.required(path,
                    "at least one clusterRoleSelector required if aggregationRule is non-nil");
  for (std::size_t i = 0; i < selectors.size(); ++i) {
    const std::size_t before = errors.size();
    validate_label_selector(selectors[i], index(path, i), errors);
    if (errors.size() != before)
      errors.invalid(index(path, i), selectors[i], "invalid label selector.");
  }
}

void validate_subject(const Json& subject, bool namespaced, const std::string& path,
                      ErrorList& errors) {
  std::string_view name = subject["name"].as_string();
  std::string_view kind = subject["kind"].as_string();
  std::string_view group = subject["apiGroup"].as_string();
  if (name.empty()) errors.required(child(path, "name"));
  if (kind == "ServiceAccount") {
    if (!name.empty())
      errors.invalid_each(child(path, "name"), name, check_dns1123_subdomain(name));
    if (!group.empty()) errors.not_supported(child(path, "apiGroup"), group, {""});
    if (!namespaced && subject["namespace"].as_string().empty())
      errors.required(child(path, "namespace"));
  } else if (kind == "User" || kind == "Group") {
    if (group != kGroup) errors.not_supported(child(path, "apiGroup"), group, {kGroup});
  } else {
    errors.not_supported(child(path, "kind"), kind, {"ServiceAccount", "User", "Group"});
  }
}

void validate_binding(const Json& binding, bool namespaced, ErrorList& errors) {
  const Json& role = binding["roleRef"];
  std::string_view group = role["apiGroup"].as_string();
  std::string_view kind = role["kind"].as_string();
  std::string_view name = role["name"].as_string();
  if (group != kGroup) errors.not_supported("roleRef.apiGroup", group, {kGroup});
  if (namespaced) {
    if (kind != "Role" && kind != "ClusterRole")
      errors.not_supported("roleRef.kind", kind, {"Role", "ClusterRole"});
  } else if (kind != "ClusterRole") {
    errors.not_supported("roleRef.kind", kind, {"ClusterRole"});
  }
  if (name.empty())
    errors.required("roleRef.name");
  else
    errors.invalid_each("roleRef.name", name, check_path_segment_name(name));
  const auto& subjects = binding["subjects"].items();
  for (std::size_t i = 0; i < subjects.size(); ++i)
    validate_subject(subjects[i], namespaced, index("subjects", i), errors);
}

// Upstream compares and prints its internal type, whose members have other names.
Json internal_reference(const Json& role) {
  return Json::object({{"APIGroup", role["apiGroup"].as_string()},
                       {"Kind", role["kind"].as_string()},
                       {"Name", role["name"].as_string()}});
}

void validate_same_role(const Json& binding, const Json& old_binding, ErrorList& errors) {
  const Json role = internal_reference(binding["roleRef"]);
  if (role != internal_reference(old_binding["roleRef"]))
    errors.invalid("roleRef", role, "cannot change roleRef");
}

}  // namespace

void validate_role(const Json& role, ErrorList& errors) { validate_rules(role, true, errors); }

void validate_role_update(const Json& role, const Json&, std::string_view, ErrorList& errors) {
  validate_role(role, errors);
}

void validate_cluster_role(const Json& role, ErrorList& errors) {
  validate_rules(role, false, errors);
  validate_aggregation(role["aggregationRule"], errors);
}

void validate_cluster_role_update(const Json& role, const Json&, std::string_view,
                                  ErrorList& errors) {
  validate_cluster_role(role, errors);
}

void validate_role_binding(const Json& binding, ErrorList& errors) {
  validate_binding(binding, true, errors);
}

void validate_role_binding_update(const Json& binding, const Json& old_binding, std::string_view,
                                  ErrorList& errors) {
  validate_binding(binding, true, errors);
  validate_same_role(binding, old_binding, errors);
}

void validate_cluster_role_binding(const Json& binding, ErrorList& errors) {
  validate_binding(binding, false, errors);
}

void validate_cluster_role_binding_update(const Json& binding, const Json& old_binding,
                                          std::string_view, ErrorList& errors) {
  validate_binding(binding, false, errors);
  validate_same_role(binding, old_binding, errors);
}

}  // namespace skiff::api::rules
