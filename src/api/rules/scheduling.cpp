#include "api/rules/pod_spec.h"

#include <skiff/base/strings.h>

#include <set>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

constexpr std::string_view kEffects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};

void validate_node_requirement(const Json& requirement, bool check_values, const std::string& path,
                               ErrorList& errors) {
  std::string_view op = requirement["operator"].as_string();
  const Json& values = requirement["values"];
  const bool is_set_operator = validate_set_operator(requirement, path, errors);
  if (!is_set_operator && (op == "Gt" || op == "Lt")) {
    if (values.size() != 1)
      errors.required(child(path, "values"),
                      "must be specified single value when `operator` is 'Lt' or 'Gt'");
  } else if (!is_set_operator) {
    errors.invalid(child(path, "operator"), op, "not a valid selector operator");
  }
  validate_label_name(requirement["key"].as_string(), child(path, "key"), errors);
  for (std::size_t i = 0; check_values && i < values.items().size(); ++i) {
    std::string_view value = values.item(i).as_string();
    errors.invalid_each(index(child(path, "values"), i), value, check_label_value(value));
  }
}

void validate_node_field(const Json& requirement, const std::string& path, ErrorList& errors) {
  std::string_view op = requirement["operator"].as_string();
  const Json& values = requirement["values"];
  if (op != "In" && op != "NotIn")
    errors.invalid(child(path, "operator"), op, "not a valid selector operator");
  else if (values.size() != 1)
    errors.required(child(path, "values"),
                    "must be only one value when `operator` is 'In' or 'NotIn' for node field "
                    "selector");
  if (requirement["key"].as_string() != "metadata.name") {
    errors.invalid(child(path, "key"), requirement["key"].as_string(),
                   "not a valid field selector key");
    return;
  }
  for (std::size_t i = 0; i < values.items().size(); ++i)
    validate_dns_subdomain(values.item(i).as_string(), index(child(path, "values"), i), errors);
}

void validate_node_term(const Json& term, bool check_values, const std::string& path,
                        ErrorList& errors) {
  const auto& expressions = term["matchExpressions"].items();
  for (std::size_t i = 0; i < expressions.size(); ++i)
    validate_node_requirement(expressions[i], check_values,
                              index(child(path, "matchExpressions"), i), errors);
  const auto& fields = term["matchFields"].items();
  for (std::size_t i = 0; i < fields.size(); ++i)
    validate_node_field(fields[i], index(child(path, "matchFields"), i), errors);
}

void validate_weight(const Json& weight, const std::string& path, ErrorList& errors) {
  if (weight.as_int() < 1 || weight.as_int() > 100)
    errors.invalid(child(path, "weight"), Json(weight.as_int()), "must be in the range 1-100");
}

void validate_node_affinity(const Json& affinity, const std::string& path, ErrorList& errors) {
  constexpr std::string_view kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
  constexpr std::string_view kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";
  if (const Json& required = affinity[kRequired]; !required.is_null()) {
    const auto& terms = required["nodeSelectorTerms"].items();
    const std::string terms_path = child(child(path, kRequired), "nodeSelectorTerms");
    if (terms.empty()) errors.required(terms_path, "must have at least one node selector term");
    for (std::size_t i = 0; i < terms.size(); ++i)
      validate_node_term(terms[i], true, index(terms_path, i), errors);
  }
  const auto& preferred = affinity[kPreferred].items();
  for (std::size_t i = 0; i < preferred.size(); ++i) {
    const std::string term_path = index(child(path, kPreferred), i);
    validate_weight(preferred[i]["weight"], term_path, errors);
    validate_node_term(preferred[i]["preference"], false, child(term_path, "preference"), errors);
  }
}

void validate_label_keys(const Json& term, std::string_view field, const std::string& path,
                         ErrorList& errors) {
  const auto& keys = term[field].items();
  if (keys.empty()) return;
  const std::string keys_path = child(path, field);
  if (term["labelSelector"].is_null())
    return errors.forbidden(keys_path, "must not be specified when labelSelector is not set");
  for (std::size_t i = 0; i < keys.size(); ++i)
    validate_label_name(keys[i].as_string(), index(keys_path, i), errors);
}

void validate_pod_term(const Json& term, const std::string& path, ErrorList& errors) {
  validate_label_selector(term["labelSelector"], child(path, "labelSelector"), errors);
  validate_label_selector(term["namespaceSelector"], child(path, "namespaceSelector"), errors);
  for (const auto& name : term["namespaces"].items())
    validate_dns_label(name.as_string(), child(path, "namespace"), errors);
  validate_label_keys(term, "matchLabelKeys", path, errors);
  validate_label_keys(term, "mismatchLabelKeys", path, errors);
  std::string_view topology_key = term["topologyKey"].as_string();
  if (topology_key.empty()) errors.required(child(path, "topologyKey"), "can not be empty");
  validate_label_name(topology_key, child(path, "topologyKey"), errors);
}

void validate_pod_affinity(const Json& affinity, const std::string& path, ErrorList& errors) {
  constexpr std::string_view kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
  constexpr std::string_view kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";
  const auto& required = affinity[kRequired].items();
  for (std::size_t i = 0; i < required.size(); ++i)
    validate_pod_term(required[i], index(child(path, kRequired), i), errors);
  const auto& preferred = affinity[kPreferred].items();
  for (std::size_t i = 0; i < preferred.size(); ++i) {
    const std::string term_path = index(child(path, kPreferred), i);
    validate_weight(preferred[i]["weight"], term_path, errors);
    validate_pod_term(preferred[i]["podAffinityTerm"], child(term_path, "podAffinityTerm"), errors);
  }
}

}  // namespace

void validate_affinity(const Json& affinity, const std::string& path, ErrorList& errors) {
  validate_node_affinity(affinity["nodeAffinity"], child(path, "nodeAffinity"), errors);
  validate_pod_affinity(affinity["podAffinity"], child(path, "podAffinity"), errors);
  validate_pod_affinity(affinity["podAntiAffinity"], child(path, "podAntiAffinity"), errors);
}

void validate_tolerations(const Json& tolerations, const std::string& path, ErrorList& errors) {
  for (std::size_t i = 0; i < tolerations.items().size(); ++i) {
    const Json& toleration = tolerations.item(i);
    const std::string item_path = index(path, i);
    std::string_view label_key = toleration["key"].as_string();
    std::string_view op = toleration["operator"].as_string();
    std::string_view value = toleration["value"].as_string();
    std::string_view effect = toleration["effect"].as_string();
    if (!label_key.empty()) validate_label_name(label_key, child(item_path, "key"), errors);
    if (label_key.empty() && op != "Exists")
      errors.invalid(child(item_path, "operator"), op,
                     "operator must be Exists when `key` is empty, which means \"match all values "
                     "and all keys\"");
    if (!toleration["tolerationSeconds"].is_null() && effect != "NoExecute")
      errors.invalid(child(item_path, "effect"), effect,
                     "effect must be 'NoExecute' when `tolerationSeconds` is set");
    if (op.empty() || op == "Equal") {
      if (auto defects = check_label_value(value); !defects.empty())
        errors.invalid(child(item_path, "operator"), value, base::join(defects, ";"));
    } else if (op == "Exists") {
      if (!value.empty())
        errors.invalid(child(item_path, "operator"), value,
                       "value must be empty when `operator` is 'Exists'");
    } else {
      errors.not_supported(child(item_path, "operator"), op, {"Equal", "Exists"});
    }
    if (!effect.empty() && !contains(kEffects, effect))
      errors.not_supported(child(item_path, "effect"), effect, kEffects);
  }
}

void validate_taints(const Json& taints, const std::string& path, ErrorList& errors) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (std::size_t i = 0; i < taints.items().size(); ++i) {
    const Json& taint = taints.item(i);
    const std::string item_path = index(path, i);
    std::string_view effect = taint["effect"].as_string();
    validate_label_name(taint["key"].as_string(), child(item_path, "key"), errors);
    if (auto defects = check_label_value(taint["value"].as_string()); !defects.empty())
      errors.invalid(child(item_path, "value"), taint["value"].as_string(),
                     base::join(defects, ";"));
    if (effect.empty())
      errors.required(child(item_path, "effect"));
    else if (!contains(kEffects, effect))
      errors.not_supported(child(item_path, "effect"), effect, kEffects);
    if (!seen.emplace(effect, taint["key"].as_string()).second) errors.duplicate(item_path, taint);
  }
}

void validate_spread_constraints(const Json& constraints, const std::string& path,
                                 ErrorList& errors) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (std::size_t i = 0; i < constraints.items().size(); ++i) {
    const Json& constraint = constraints.item(i);
    const std::string item_path = index(path, i);
    if (constraint["maxSkew"].as_int() <= 0)
      errors.invalid(child(item_path, "maxSkew"), Json(constraint["maxSkew"].as_int()),
                     "must be greater than zero");
    std::string_view topology_key = constraint["topologyKey"].as_string();
    if (topology_key.empty())
      errors.required(child(item_path, "topologyKey"), "can not be empty");
    else
      validate_label_name(topology_key, child(item_path, "topologyKey"), errors);
    std::string_view action = constraint["whenUnsatisfiable"].as_string();
    if (!contains({"DoNotSchedule", "ScheduleAnyway"}, action))
      errors.not_supported(child(item_path, "whenUnsatisfiable"), action,
                           {"DoNotSchedule", "ScheduleAnyway"});
    if (!seen.emplace(topology_key, action).second)
      errors.duplicate(concat(item_path, ".{topologyKey, whenUnsatisfiable}"),
                       concat("{", topology_key, ", ", action, "}"));
    const Json& domains = constraint["minDomains"];
    if (!domains.is_null() && domains.as_int() <= 0)
      errors.invalid(child(item_path, "minDomains"), domains, "must be greater than zero");
    if (!domains.is_null() && action != "DoNotSchedule")
      errors.invalid(child(item_path, "minDomains"), domains,
                     "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not "
                     "ScheduleAnyway");
    for (std::string_view field : {"nodeAffinityPolicy", "nodeTaintsPolicy"})
      if (const Json& policy = constraint[field];
          !policy.is_null() && !contains({"Honor", "Ignore"}, policy.as_string()))
        errors.not_supported(child(item_path, field), policy.as_string(), {"Honor", "Ignore"});
    validate_label_selector(constraint["labelSelector"], child(item_path, "labelSelector"), errors);
    validate_label_keys(constraint, "matchLabelKeys", item_path, errors);
  }
}

}  // namespace skiff::api::rules
