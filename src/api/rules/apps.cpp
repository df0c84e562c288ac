#include "api/rules/kind_rules.h"
#include "api/rules/pod_spec.h"

#include <skiff/api/selector.h>
#include <skiff/base/strings.h>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

void validate_template(const Json& spec, const LabelSelector& selector, ErrorList& errors) {
  const std::string path = "spec.template";
  const Json& pod_template = spec["template"];
  if (pod_template.is_null()) return errors.required(path);
  const Json& labels = pod_template["metadata"]["labels"];
  if (!selector.matches_everything() && !selector.matches(labels))
    errors.invalid(child(path, "metadata.labels"), labels.is_null() ? Json() : labels,
                   "`selector` does not match template `labels`");
  validate_pod_template(pod_template, path, errors);
  std::string_view policy = pod_template["spec"]["restartPolicy"].as_string();
  if (policy != "Always")
    errors.not_supported(child(path, "spec.restartPolicy"), policy, {"Always"});
  if (!pod_template["spec"]["activeDeadlineSeconds"].is_null())
    errors.forbidden(child(path, "spec.activeDeadlineSeconds"),
                     "activeDeadlineSeconds in ReplicaSet is not Supported");
}

void validate_selector_and_template(const Json& spec, ErrorList& errors) {
  const Json& selector = spec["selector"];
  const std::string path = "spec.selector";
  if (selector.is_null()) {
    errors.required(path);
  } else {
    validate_label_selector(selector, path, errors);
    if (selector["matchLabels"].empty() && selector["matchExpressions"].empty())
      errors.invalid(path, selector, "empty selector is invalid for deployment");
  }
  auto parsed = LabelSelector::from_json(selector);
  if (!parsed.is_ok())
    errors.invalid(path, selector, "invalid label selector");
  else
    validate_template(spec, *parsed, errors);
}

void validate_int_or_percent(const Json& value, const std::string& path, ErrorList& errors) {
  if (value.is_string()) {
    for (const auto& message : check_percent(value.as_string()))
      errors.invalid(path, value, message);
  } else {
    validate_not_negative(value, path, errors);
  }
}

// The number before '%', or the number itself.
std::int64_t amount_of(const Json& value) {
  if (!value.is_string()) return value.as_int();
  std::string_view text = value.as_string();
  if (base::ends_with(text, "%")) text.remove_suffix(1);
  return base::parse_int(text).value_or(0);
}

// As upstream's internal type prints.
Json internal_strategy(const Json& strategy) {
  Json printed = Json::object({{"Type", strategy["type"].as_string()}, {"RollingUpdate", Json()}});
  if (const Json& update = strategy["rollingUpdate"]; !update.is_null())
    printed.set("RollingUpdate", Json::object({{"MaxUnavailable", update["maxUnavailable"]},
                                               {"MaxSurge", update["maxSurge"]}}));
  return printed;
}

void validate_strategy(const Json& strategy, ErrorList& errors) {
  const std::string path = "spec.strategy";
  std::string_view type = strategy["type"].as_string();
  const Json& update = strategy["rollingUpdate"];
  const std::string update_path = child(path, "rollingUpdate");
  if (type == "Recreate") {
    if (!update.is_null())
      errors.forbidden(update_path, "may not be specified when strategy `type` is 'Recreate'");
    return;
  }
  if (type != "RollingUpdate") {
    errors.not_supported_value(path, internal_strategy(strategy), {"Recreate", "RollingUpdate"});
    return;
  }
  if (update.is_null())
    return errors.required(update_path, "this should be defaulted and never be nil");
  const Json &unavailable = update["maxUnavailable"], &surge = update["maxSurge"];
  validate_int_or_percent(unavailable, child(update_path, "maxUnavailable"), errors);
  validate_int_or_percent(surge, child(update_path, "maxSurge"), errors);
  if (amount_of(unavailable) == 0 && amount_of(surge) == 0)
    errors.invalid(child(update_path, "maxUnavailable"), unavailable,
                   "may not be 0 when `maxSurge` is 0");
  if (unavailable.is_string() && amount_of(unavailable) > 100)
    errors.invalid(child(update_path, "maxUnavailable"), unavailable,
                   "must not be greater than 100%");
}

// Counts of a status: none negative, none above what it is a part of.
void validate_counts(const Json& status, std::initializer_list<std::string_view> parts,
                     ErrorList& errors) {
  const std::string path = "status";
  validate_not_negative(status["replicas"], child(path, "replicas"), errors);
  for (std::string_view part : parts)
    validate_not_negative(status[part], child(path, part), errors);
  validate_not_negative(status["observedGeneration"], child(path, "observedGeneration"), errors);
  for (std::string_view part : parts)
    if (part != "unavailableReplicas" && status[part].as_int() > status["replicas"].as_int())
      errors.invalid(child(path, part), status[part], "cannot be greater than status.replicas");
  if (status["availableReplicas"].as_int() > status["readyReplicas"].as_int())
    errors.invalid(child(path, "availableReplicas"), status["availableReplicas"],
                   "cannot be greater than readyReplicas");
}

}  // namespace

void validate_replica_set(const Json& object, ErrorList& errors) {
  const Json& spec = object["spec"];
  for (std::string_view field : {"replicas", "minReadySeconds"})
    validate_not_negative(spec[field], child("spec", field), errors);
  validate_selector_and_template(spec, errors);
}

void validate_replica_set_update(const Json& object, const Json& old_object,
                                 std::string_view subresource, ErrorList& errors) {
  if (subresource == "status")
    return validate_counts(object["status"],
                           {"fullyLabeledReplicas", "readyReplicas", "availableReplicas"}, errors);
  validate_replica_set(object, errors);
  validate_immutable(object["spec"]["selector"], old_object["spec"]["selector"], "spec.selector",
                     errors);
}

void validate_deployment(const Json& object, ErrorList& errors) {
  const Json& spec = object["spec"];
  validate_not_negative(spec["replicas"], "spec.replicas", errors);
  validate_selector_and_template(spec, errors);
  validate_strategy(spec["strategy"], errors);
  for (std::string_view field :
       {"minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"})
    validate_not_negative(spec[field], child("spec", field), errors);
  const Json& deadline = spec["progressDeadlineSeconds"];
  if (!deadline.is_null() && deadline.as_int() <= spec["minReadySeconds"].as_int())
    errors.invalid("spec.progressDeadlineSeconds", deadline,
                   "must be greater than minReadySeconds");
}

void validate_deployment_update(const Json& object, const Json& old_object,
                                std::string_view subresource, ErrorList& errors) {
  if (subresource == "status")
    return validate_counts(
        object["status"],
        {"updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"}, errors);
  validate_deployment(object, errors);
  validate_immutable(object["spec"]["selector"], old_object["spec"]["selector"], "spec.selector",
                     errors);
}

}  // namespace skiff::api::rules
