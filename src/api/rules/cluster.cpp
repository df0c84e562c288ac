// Namespaces, nodes, leases and events.
#include "api/rules/kind_rules.h"
#include "api/rules/pod_spec.h"

#include <skiff/base/strings.h>

#include <set>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

constexpr std::size_t kEventNameBytesMax = 128;
constexpr std::size_t kEventNoteBytesMax = 1024;

void validate_namespace_finalizers(const Json& object, bool indexed, ErrorList& errors) {
  const auto& finalizers = object["spec"]["finalizers"].items();
  for (std::size_t i = 0; i < finalizers.size(); ++i) {
    const std::string path = indexed ? index("spec.finalizers", i) : "spec.finalizers";
    std::string_view name = finalizers[i].as_string();
    validate_label_name(name, path, errors);
    if (name.find('/') == std::string_view::npos &&
        !contains({"kubernetes", "orphan", "foregroundDeletion"}, name))
      errors.invalid(path, name,
                     "name is neither a standard finalizer name nor is it fully qualified");
  }
}

void validate_node_capacity(const Json& status, ErrorList& errors) {
  for (std::string_view list : {"capacity", "allocatable"})
    for (const auto& member : status[list].members())
      if (auto quantity = quantity_of(member.value); quantity && *quantity < Quantity())
        errors.invalid(key(child("status", list), member.key), quantity->to_string(), kNotNegative);
}

bool has_time(const Json& value) { return !value.as_string().empty(); }

// What core/v1 events and stored ones of both versions must hold.
void validate_event_places(const Json& event, std::string_view object_field, ErrorList& errors) {
  std::string_view name_space = event["metadata"]["namespace"].as_string();
  const Json& involved = event[object_field]["namespace"];
  const bool matches = involved.as_string().empty() ? name_space.empty() || name_space == "default"
                                                    : involved.as_string() == name_space;
  if (!matches)
    errors.invalid(child("involvedObject", "namespace"), involved.as_string(),
                   "does not match event.namespace");
}

void validate_event_text(const Json& event, std::string_view field, ErrorList& errors) {
  std::string_view text = event[field].as_string();
  if (text.empty())
    errors.required(std::string(field));
  else if (text.size() > kEventNameBytesMax)
    errors.invalid(std::string(field), "",
                   concat("can have at most ", kEventNameBytesMax, " characters"));
}

// Events with an eventTime come from the newer recorders and say more.
void validate_new_event(const Json& event, std::string_view controller_field,
                        std::string_view instance_field, std::string_view note_field,
                        ErrorList& errors) {
  std::string_view controller = event[controller_field].as_string();
  if (controller.empty()) errors.required("reportingController");
  errors.invalid_each("reportingController", controller, check_qualified_name(controller));
  validate_event_text(event, instance_field, errors);
  validate_event_text(event, "action", errors);
  validate_event_text(event, "reason", errors);
  if (event[note_field].as_string().size() > kEventNoteBytesMax)
    errors.invalid("message", "", concat("can have at most ", kEventNoteBytesMax, " characters"));
}

}  // namespace

void validate_namespace(const Json& object, ErrorList& errors) {
  validate_namespace_finalizers(object, false, errors);
}

void validate_namespace_update(const Json& object, const Json&, std::string_view subresource,
                               ErrorList& errors) {
  if (subresource == "finalize") return validate_namespace_finalizers(object, true, errors);
  if (subresource != "status") return;
  std::string_view phase = object["status"]["phase"].as_string();
  if (object["metadata"]["deletionTimestamp"].is_null()) {
    if (phase != "Active")
      errors.invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty");
  } else if (phase != "Terminating") {
    errors.invalid("status.Phase", phase,
                   "may only be 'Terminating' if `deletionTimestamp` is not empty");
  }
}

void validate_node(const Json& object, ErrorList& errors) {
  validate_taints(object["spec"]["taints"], "metadata.taints", errors);
  validate_node_capacity(object["status"], errors);
  const auto& addresses = object["status"]["addresses"].items();
  for (std::size_t i = 0; i < addresses.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (addresses[i] == addresses[k]) {
        errors.duplicate(index("status.addresses", i), addresses[i]);
        break;
      }
}

void validate_node_update(const Json& object, const Json& old_object, std::string_view,
                          ErrorList& errors) {
  validate_node(object, errors);
  const Json &spec = object["spec"], &old_spec = old_object["spec"];
  if (!old_spec["podCIDRs"].empty() && spec["podCIDRs"] != old_spec["podCIDRs"])
    errors.forbidden("spec.podCIDRs",
                     "node updates may not change podCIDR except from \"\" to valid");
  if (!old_spec["providerID"].empty() && spec["providerID"] != old_spec["providerID"])
    errors.forbidden("spec.providerID",
                     "node updates may not change providerID except from \"\" to valid");
}

void validate_lease(const Json& object, ErrorList& errors) {
  const Json& spec = object["spec"];
  if (const Json& seconds = spec["leaseDurationSeconds"];
      !seconds.is_null() && seconds.as_int() <= 0)
    errors.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
  if (const Json& transitions = spec["leaseTransitions"];
      !transitions.is_null() && transitions.as_int() < 0)
    errors.invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0");
  if (!spec["preferredHolder"].as_string().empty() && spec["strategy"].as_string().empty())
    errors.forbidden("spec.preferredHolder", "can only be specified if `strategy` is defined");
}

void validate_lease_update(const Json& object, const Json&, std::string_view, ErrorList& errors) {
  validate_lease(object, errors);
}

void validate_core_event(const Json& event, ErrorList& errors) {
  validate_event_places(event, "involvedObject", errors);
  if (has_time(event["eventTime"]))
    validate_new_event(event, "reportingComponent", "reportingInstance", "message", errors);
}

void validate_core_event_update(const Json& event, const Json&, std::string_view,
                                ErrorList& errors) {
  validate_event_places(event, "involvedObject", errors);
}

void validate_event(const Json& event, ErrorList& errors) {
  validate_event_places(event, "regarding", errors);
  validate_new_event(event, "reportingController", "reportingInstance", "note", errors);
  if (!has_time(event["eventTime"])) errors.required("eventTime");
  std::string_view type = event["type"].as_string();
  if (type != "Normal" && type != "Warning")
    errors.invalid("type", "", concat("has invalid value: ", type));
  for (std::string_view field : {"deprecatedFirstTimestamp", "deprecatedLastTimestamp"})
    if (has_time(event[field])) {
      std::string name(field.substr(10));
      name[0] = static_cast<char>(name[0] - 'A' + 'a');
      errors.invalid(name, "", "needs to be unset");
    }
  if (event["deprecatedCount"].as_int() != 0) errors.invalid("count", "", "needs to be unset");
}

void validate_event_update(const Json& event, const Json& old_event, std::string_view,
                           ErrorList& errors) {
  validate_event_places(event, "regarding", errors);
  for (std::string_view field : {"regarding", "reason", "reportingController", "reportingInstance",
                                 "action", "note", "type"})
    validate_immutable(event[field], old_event[field], std::string(field), errors);
}

}  // namespace skiff::api::rules
