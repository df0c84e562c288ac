#include "api/rules/metadata.h"

#include <skiff/base/strings.h>

#include "api/limits.h"

#include <algorithm>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

// What a generated name will look like for the checks: its trailing dash is not the last character.
std::string mask_trailing_dash(std::string_view prefix) {
  std::string name(prefix);
  if (name.size() > 1 && name.back() == '-') {
    name.resize(name.size() - 2);
    name += 'a';
  }
  return name;
}

void validate_owner(const Json& owner, const std::string& path, ErrorList& errors) {
  std::string_view api_version = owner["apiVersion"].as_string();
  std::string_view version = api_version.substr(api_version.find('/') + 1);
  if (version.empty() || api_version == "/")
    errors.invalid(child(path, "apiVersion"), api_version, "version must not be empty");
  for (std::string_view field : {"kind", "name", "uid"})
    if (owner[field].as_string().empty())
      errors.invalid(child(path, field), owner[field].as_string(), "must not be empty");
  if (api_version == "v1" && owner["kind"].as_string() == "Event")
    errors.invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner");
}

void validate_owners(const Json& owners, const std::string& path, ErrorList& errors) {
  std::string controller;
  for (const auto& owner : owners.items()) {
    validate_owner(owner, path, errors);
    if (!owner["controller"].as_bool()) continue;
    std::string name = concat(owner["kind"].as_string(), "/", owner["name"].as_string());
    if (controller.empty()) {
      controller = std::move(name);
      continue;
    }
    errors.invalid(path, owners,
                   concat("Only one reference can have Controller set to true. Found \"true\" in "
                          "references for ",
                          controller, " and ", name));
  }
}

void validate_finalizers(const Json& finalizers, const std::string& path, ErrorList& errors) {
  bool orphan = false, foreground = false;
  for (const auto& item : finalizers.items()) {
    std::string_view finalizer = item.as_string();
    errors.invalid_each(path, finalizer, check_qualified_name(finalizer));
    orphan = orphan || finalizer == "orphan";
    foreground = foreground || finalizer == "foregroundDeletion";
  }
  if (orphan && foreground)
    errors.invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set");
}

// Names without a domain are those that the system itself uses.
void validate_standard_finalizers(const Json& finalizers, const std::string& path,
                                  ErrorList& errors) {
  const auto& items = finalizers.items();
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::string_view name = items[i].as_string();
    if (name.find('/') == std::string_view::npos &&
        !contains({"kubernetes", "orphan", "foregroundDeletion"}, name))
      errors.invalid(index(path, i), name,
                     "name is neither a standard finalizer name nor is it fully qualified");
  }
}

void validate_managed_fields(const Json& managed_fields, const std::string& path,
                             ErrorList& errors) {
  for (std::size_t i = 0; i < managed_fields.size() && managed_fields.is_array(); ++i) {
    const Json& entry = managed_fields.item(i);
    const std::string entry_path = index(path, i);
    std::string_view operation = entry["operation"].as_string();
    if (operation != "Apply" && operation != "Update")
      errors.invalid(child(entry_path, "operation"), operation, "must be `Apply` or `Update`");
    std::string_view type = entry["fieldsType"].as_string();
    if (!type.empty() && type != "FieldsV1")
      errors.invalid(child(entry_path, "fieldsType"), type, "must be `FieldsV1`");
    if (entry["manager"].as_string().size() > kManagerBytesMax)
      errors.too_long(child(entry_path, "manager"), kManagerBytesMax);
    if (entry["subresource"].as_string().size() > kSubresourceBytesMax)
      errors.too_long(child(entry_path, "subresource"), kSubresourceBytesMax);
  }
}

void validate_selector_requirement(const Json& requirement, const std::string& path,
                                   ErrorList& errors) {
  const Json& values = requirement["values"];
  if (!validate_set_operator(requirement, path, errors)) {
    errors.invalid(child(path, "operator"), requirement["operator"].as_string(),
                   "not a valid selector operator");
  }
  std::string_view label_key = requirement["key"].as_string();
  errors.invalid_each(child(path, "key"), label_key, check_qualified_name(label_key));
  for (std::size_t i = 0; i < values.items().size(); ++i) {
    std::string_view value = values.item(i).as_string();
    errors.invalid_each(index(child(path, "values"), i), value, check_label_value(value));
  }
}

}  // namespace

std::vector<std::string> check_path_segment_name(std::string_view name) {
  if (name == "." || name == "..") return {concat("may not be '", name, "'")};
  std::vector<std::string> errors;
  for (char c : {'/', '%'})
    if (name.find(c) != std::string_view::npos)
      errors.push_back(concat("may not contain '", c, "'"));
  return errors;
}

void validate_labels(const Json& labels, const std::string& path, ErrorList& errors) {
  for (const auto& member : labels.members()) {
    errors.invalid_each(path, member.key, check_qualified_name(member.key));
    std::string_view value = member.value.as_string();
    errors.invalid_each(path, value, check_label_value(value));
  }
}

void validate_annotations(const Json& annotations, const std::string& path, ErrorList& errors) {
  std::size_t bytes = 0;
  for (const auto& member : annotations.members()) {
    errors.invalid_each(path, member.key, check_qualified_name(base::to_lower(member.key)));
    bytes += member.key.size() + member.value.size();
  }
  if (bytes > kAnnotationsBytesMax) errors.too_long(path, kAnnotationsBytesMax);
}

bool validate_set_operator(const Json& requirement, const std::string& path, ErrorList& errors) {
  std::string_view op = requirement["operator"].as_string();
  const Json& values = requirement["values"];
  if (op == "In" || op == "NotIn") {
    if (values.empty())
      errors.required(child(path, "values"),
                      "must be specified when `operator` is 'In' or 'NotIn'");
    return true;
  }
  if (op == "Exists" || op == "DoesNotExist") {
    if (!values.empty())
      errors.forbidden(child(path, "values"),
                       "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    return true;
  }
  return false;
}

void validate_label_selector(const Json& selector, const std::string& path, ErrorList& errors) {
  if (selector.is_null()) return;
  validate_labels(selector["matchLabels"], child(path, "matchLabels"), errors);
  const auto& expressions = selector["matchExpressions"].items();
  for (std::size_t i = 0; i < expressions.size(); ++i)
    validate_selector_requirement(expressions[i], index(child(path, "matchExpressions"), i),
                                  errors);
}

void validate_immutable(const Json& value, const Json& old_value, std::string path,
                        ErrorList& errors) {
  if (value != old_value) errors.invalid(std::move(path), value, kFieldIsImmutable);
}

void validate_metadata(const Json& metadata, bool namespaced, NameCheck name_check,
                       ErrorList& errors) {
  const std::string path = "metadata";
  std::string_view generate_name = metadata["generateName"].as_string();
  std::string_view name = metadata["name"].as_string();
  std::string_view name_space = metadata["namespace"].as_string();
  if (!generate_name.empty())
    errors.invalid_each(child(path, "generateName"), generate_name,
                        name_check(mask_trailing_dash(generate_name)));
  if (name.empty())
    errors.required(child(path, "name"), "name or generateName is required");
  else
    errors.invalid_each(child(path, "name"), name, name_check(name));
  if (!namespaced && !name_space.empty())
    errors.forbidden(child(path, "namespace"), "not allowed on this type");
  if (namespaced && name_space.empty()) errors.required(child(path, "namespace"));
  if (namespaced && !name_space.empty())
    errors.invalid_each(child(path, "namespace"), name_space, check_dns1123_label(name_space));
  if (metadata["generation"].as_int() < 0)
    errors.invalid(child(path, "generation"), metadata["generation"], kNotNegative);
  validate_labels(metadata["labels"], child(path, "labels"), errors);
  validate_annotations(metadata["annotations"], child(path, "annotations"), errors);
  validate_owners(metadata["ownerReferences"], child(path, "ownerReferences"), errors);
  validate_finalizers(metadata["finalizers"], child(path, "finalizers"), errors);
  validate_managed_fields(metadata["managedFields"], child(path, "managedFields"), errors);
  validate_standard_finalizers(metadata["finalizers"], child(path, "finalizers"), errors);
}

void validate_metadata_update(const Json& metadata, const Json& old_metadata, ErrorList& errors) {
  const std::string path = "metadata";
  if (metadata["generation"].as_int() < old_metadata["generation"].as_int())
    errors.invalid(child(path, "generation"), Json(metadata["generation"].as_int()),
                   "must not be decremented");
  for (std::string_view field : {"name", "namespace", "uid", "creationTimestamp",
                                 "deletionTimestamp", "deletionGracePeriodSeconds"})
    validate_immutable(metadata[field], old_metadata[field], child(path, field), errors);
  validate_labels(metadata["labels"], child(path, "labels"), errors);
  validate_annotations(metadata["annotations"], child(path, "annotations"), errors);
  validate_owners(metadata["ownerReferences"], child(path, "ownerReferences"), errors);
  validate_managed_fields(metadata["managedFields"], child(path, "managedFields"), errors);
  validate_standard_finalizers(metadata["finalizers"], child(path, "finalizers"), errors);
}

}  // namespace skiff::api::rules
