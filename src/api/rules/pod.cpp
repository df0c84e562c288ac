#include "api/rules/kind_rules.h"
#include "api/rules/pod_spec.h"

#include <skiff/base/strings.h>

#include <set>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

constexpr std::string_view kUpdatableFields =
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
constexpr std::size_t kDiffLinesMax = 40;

void validate_spec(const Json& pod, ErrorList& errors) {
  const Json& spec = pod["spec"];
  const std::string path = "spec";
  validate_pod_spec(spec, path, true, errors);
  if (!spec["serviceAccountName"].as_string().empty()) return;
  const auto& volumes = spec["volumes"].items();
  for (std::size_t i = 0; i < volumes.size(); ++i) {
    const auto& sources = volumes[i]["projected"]["sources"].items();
    for (std::size_t k = 0; k < sources.size(); ++k)
      if (!sources[k]["serviceAccountToken"].is_null())
        errors.forbidden(concat(index(child(path, "volumes"), i), ".projected.sources[", k,
                                "].serviceAccountToken"),
                         "must not be specified when serviceAccountName is not set");
  }
}

// The same for what means the same: nulls and empty lists as absent, quantities by their value.
Json normalized(const Json& value, bool quantities = false) {
  if (value.is_array()) {
    Json list = Json::array();
    for (const auto& item : value.items()) list.push_back(normalized(item));
    return list;
  }
  if (!value.is_object()) {
    auto quantity = quantities ? quantity_of(value) : std::nullopt;
    return quantity ? Json(quantity->to_string()) : value;
  }
  Json object = Json::object();
  for (const auto& member : value.members()) {
    if (member.value.is_null() || (member.value.is_array() && member.value.empty())) continue;
    object.mutable_members().push_back(
        {member.key, normalized(member.value,
                                member.key == "limits" || member.key == "requests" || quantities)});
  }
  return object;
}

// One "-" and one "+" line for every leaf that differs.
void append_diff(const Json& before, const Json& after, const std::string& path,
                 std::vector<std::string>& lines) {
  if (before == after || lines.size() >= kDiffLinesMax) return;
  if (before.is_object() && after.is_object()) {
    for (const auto& member : before.members())
      append_diff(member.value, after[member.key], child(path, member.key), lines);
    for (const auto& member : after.members())
      if (!before.contains(member.key))
        append_diff(Json(), member.value, child(path, member.key), lines);
    return;
  }
  if (before.is_array() && after.is_array() && before.size() == after.size()) {
    for (std::size_t i = 0; i < before.size(); ++i)
      append_diff(before.item(i), after.item(i), index(path, i), lines);
    return;
  }
  if (!before.is_null()) lines.push_back(concat("- ", path, ": ", codec::write_json(before)));
  if (!after.is_null()) lines.push_back(concat("+ ", path, ": ", codec::write_json(after)));
}

// False when the lists are so different that nothing else can be said.
bool validate_container_count(const Json& spec, const Json& old_spec, std::string_view list,
                              ErrorList& errors) {
  const std::string path = child("spec", list);
  if (spec[list].size() != old_spec[list].size()) {
    errors.forbidden(path, "pod updates may not add or remove containers");
    return false;
  }
  return true;
}

bool validate_deadline(const Json& spec, const Json& old_spec, ErrorList& errors) {
  const std::string path = "spec.activeDeadlineSeconds";
  const Json& now = spec["activeDeadlineSeconds"];
  const Json& before = old_spec["activeDeadlineSeconds"];
  if (now.is_null()) {
    if (!before.is_null())
      errors.invalid(path, now, "must not update from a positive integer to nil value");
    return true;
  }
  if (now.as_int() < 0 || now.as_int() > INT32_MAX) {
    errors.invalid(path, now, range_text(0, INT32_MAX));
    return false;
  }
  if (before.is_null() || before.as_int() >= now.as_int()) return true;
  errors.invalid(path, now, "must be less than or equal to previous value");
  return false;
}

void validate_added_tolerations(const Json& spec, const Json& old_spec, ErrorList& errors) {
  auto without_seconds = [](const Json& toleration) {
    Json copy = toleration;
    copy.erase("tolerationSeconds");
    return copy;
  };
  for (const auto& old_toleration : old_spec["tolerations"].items()) {
    bool found = false;
    for (const auto& toleration : spec["tolerations"].items())
      found = found || without_seconds(toleration) == without_seconds(old_toleration);
    if (found) continue;
    errors.forbidden("spec.tolerations",
                     "existing toleration can not be modified except its tolerationSeconds");
    return;
  }
}

void validate_deleted_gates(const Json& spec, const Json& old_spec, ErrorList& errors) {
  std::set<std::string_view> old_gates;
  for (const auto& gate : old_spec["schedulingGates"].items())
    old_gates.insert(gate["name"].as_string());
  const auto& gates = spec["schedulingGates"].items();
  for (std::size_t i = 0; i < gates.size(); ++i)
    if (old_gates.count(gates[i]["name"].as_string()) == 0)
      errors.forbidden(child(index("spec.schedulingGates", i), "name"),
                       concat("only deletion is allowed, but found new scheduling gate '",
                              gates[i]["name"].as_string(), "'"));
}

// Takes over from the old spec what an update may change. `spec` is normalized.
void mask_updatable(Json& spec, const Json& old_spec) {
  auto take_over = [&](std::string_view field) {
    if (const Json* value = old_spec.find(field); value != nullptr)
      spec.set(field, *value);
    else
      spec.erase(field);
  };
  for (std::string_view list : {"containers", "initContainers"}) {
    Json* containers = spec.find(list);
    if (containers == nullptr || !containers->is_array()) continue;
    auto& items = containers->mutable_items();
    for (std::size_t i = 0; i < items.size(); ++i)
      if (items[i].is_object()) items[i].set("image", old_spec[list].item(i)["image"]);
  }
  for (std::string_view field : {"activeDeadlineSeconds", "schedulingGates", "tolerations"})
    take_over(field);
  const Json& grace = old_spec["terminationGracePeriodSeconds"];
  if (grace.as_int() < 0 && std::as_const(spec)["terminationGracePeriodSeconds"].as_int() == 1)
    take_over("terminationGracePeriodSeconds");
  // A gated pod may still be told where to go.
  if (!old_spec["schedulingGates"].empty()) take_over("nodeSelector");
}

void validate_spec_update(const Json& pod, const Json& old_pod, ErrorList& errors) {
  const Json &spec = pod["spec"], &old_spec = old_pod["spec"];
  validate_spec(pod, errors);
  if (!validate_container_count(spec, old_spec, "containers", errors)) return;
  if (!validate_container_count(spec, old_spec, "initContainers", errors)) return;
  if (!validate_deadline(spec, old_spec, errors)) return;
  validate_added_tolerations(spec, old_spec, errors);
  validate_deleted_gates(spec, old_spec, errors);
  const Json before = normalized(old_spec);
  Json after = normalized(spec);
  mask_updatable(after, before);
  if (after == before) return;
  std::vector<std::string> lines;
  append_diff(before, after, "spec", lines);
  errors.forbidden("spec", concat("pod updates may not change fields other than ", kUpdatableFields,
                                  "\n", base::join(lines, "\n"), "\n"));
}

void validate_container_transitions(const Json& pod, const Json& old_pod, std::string_view list,
                                    std::string_view restart_policy, ErrorList& errors) {
  if (restart_policy == "Always") return;
  const auto& old_statuses = old_pod["status"][list].items();
  for (std::size_t i = 0; i < old_statuses.size(); ++i) {
    const Json& terminated = old_statuses[i]["state"]["terminated"];
    if (terminated.is_null()) continue;
    if (terminated["exitCode"].as_int() != 0 && restart_policy == "OnFailure") continue;
    if (list == "initContainerStatuses") {
      bool restartable = false;
      for (const auto& container : pod["spec"]["initContainers"].items())
        restartable = restartable || (container["name"] == old_statuses[i]["name"] &&
                                      container["restartPolicy"].as_string() == "Always");
      if (restartable) continue;
    }
    for (const auto& status : pod["status"][list].items())
      if (status["name"] == old_statuses[i]["name"] && status["state"]["terminated"].is_null())
        errors.forbidden(child(index(child("status", list), i), "state"),
                         "may not be transitioned to non-terminated state");
  }
}

void validate_addresses(const Json& pod, std::string_view list, ErrorList& errors) {
  const auto& addresses = pod["status"][list].items();
  const std::string path = child("status", list);
  std::set<std::string_view> seen;
  std::set<int> versions;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    std::string_view ip = addresses[i]["ip"].as_string();
    validate_ip(ip, index(path, i), errors);
    if (!seen.insert(ip).second) errors.duplicate(index(path, i), addresses[i]);
    versions.insert(ip_version(ip).value_or(0));
  }
  if (addresses.size() > 1 && (versions.size() != 2 || addresses.size() > 2))
    errors.invalid(path, pod["status"][list], "may specify no more than one IP for each IP family");
}

void validate_status_update(const Json& pod, const Json& old_pod, ErrorList& errors) {
  const Json &status = pod["status"], &old_status = old_pod["status"];
  const auto& conditions = status["conditions"].items();
  for (std::size_t i = 0; i < conditions.size(); ++i)
    validate_label_name(conditions[i]["type"].as_string(),
                        child(index("metadata.conditions", i), "Type"), errors);
  if (pod["spec"]["nodeName"].as_string() != old_pod["spec"]["nodeName"].as_string())
    errors.forbidden("status.nodeName", "may not be changed directly");
  if (!status["nominatedNodeName"].as_string().empty())
    validate_dns_subdomain(status["nominatedNodeName"].as_string(), "status.nominatedNodeName",
                           errors);
  if (!old_status["qosClass"].is_null())
    validate_immutable(status["qosClass"], old_status["qosClass"], "status.qosClass", errors);
  std::string_view restart_policy = old_pod["spec"]["restartPolicy"].as_string();
  validate_container_transitions(pod, old_pod, "containerStatuses", restart_policy, errors);
  validate_container_transitions(pod, old_pod, "initContainerStatuses", restart_policy, errors);
  validate_container_transitions(pod, old_pod, "ephemeralContainerStatuses", "Never", errors);
  validate_addresses(pod, "podIPs", errors);
  validate_addresses(pod, "hostIPs", errors);
  if (const Json& first = status["hostIPs"];
      !first.empty() && first.item(0)["ip"].as_string() != status["hostIP"].as_string())
    errors.invalid("status.hostIPs[0].ip", first.item(0)["ip"], "must be equal to `hostIP`");
}

void validate_ephemeral_update(const Json& pod, const Json& old_pod, ErrorList& errors) {
  validate_spec(pod, errors);
  const std::string path = "spec.ephemeralContainers";
  for (const auto& before : old_pod["spec"]["ephemeralContainers"].items()) {
    const Json* after = nullptr;
    for (const auto& container : pod["spec"]["ephemeralContainers"].items())
      if (container["name"] == before["name"]) after = &container;
    const std::string name = base::quote(before["name"].as_string());
    if (after == nullptr) {
      errors.forbidden(path,
                       concat("existing ephemeral containers ", name, " may not be removed\n"));
    } else if (normalized(*after) != normalized(before)) {
      std::vector<std::string> lines;
      append_diff(normalized(before), normalized(*after), path, lines);
      errors.forbidden(path, concat("existing ephemeral containers ", name, " may not be changed\n",
                                    base::join(lines, "\n")));
    }
  }
}

// Whether a pod gives its node rights does not change.
void validate_mirror_update(const Json& pod, const Json& old_pod, ErrorList& errors) {
  constexpr std::string_view kMirror = "kubernetes.io/config.mirror";
  const Json* after = pod["metadata"]["annotations"].find(kMirror);
  const Json* before = old_pod["metadata"]["annotations"].find(kMirror);
  const std::string path = concat("metadata.annotations[", kMirror, "]");
  if (before != nullptr && (after == nullptr || *after != *before)) {
    errors.forbidden(path, "may not remove or update mirror pod annotation");
  } else if (before == nullptr && after != nullptr) {
    errors.forbidden(path, "may not add mirror pod annotation");
  }
}

}  // namespace

void validate_pod_create(const Json& pod, ErrorList& errors) {
  const Json& spec = pod["spec"];
  validate_spec(pod, errors);
  if (!spec["ephemeralContainers"].empty())
    errors.forbidden("spec.ephemeralContainers", "cannot be set on create");
  if (!spec["nodeName"].as_string().empty() && !spec["schedulingGates"].empty())
    errors.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared");
}

void validate_pod_update(const Json& pod, const Json& old_pod, std::string_view subresource,
                         ErrorList& errors) {
  validate_mirror_update(pod, old_pod, errors);
  if (subresource == "status")
    validate_status_update(pod, old_pod, errors);
  else if (subresource == "ephemeralcontainers")
    validate_ephemeral_update(pod, old_pod, errors);
  else if (subresource == "resize")
    validate_spec(pod, errors);
  else
    validate_spec_update(pod, old_pod, errors);
}

}  // namespace skiff::api::rules
