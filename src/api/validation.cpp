#include <skiff/api/validation.h>
#include <skiff/base/strings.h>

#include "api/rules/kind_rules.h"

#include <algorithm>
#include <set>

namespace skiff::api {

using base::concat;
using codec::Json;

namespace {

struct TypeRow {
  FieldError::Type type;
  std::string_view text;    // in messages
  std::string_view reason;  // in causes
  bool prints_value;
};

constexpr TypeRow kTypes[] = {
    {FieldError::Type::not_found, "Not found", "FieldValueNotFound", true},
    {FieldError::Type::required, "Required value", "FieldValueRequired", false},
    {FieldError::Type::duplicate, "Duplicate value", "FieldValueDuplicate", true},
    {FieldError::Type::invalid, "Invalid value", "FieldValueInvalid", true},
    {FieldError::Type::not_supported, "Unsupported value", "FieldValueNotSupported", true},
    {FieldError::Type::forbidden, "Forbidden", "FieldValueForbidden", false},
    {FieldError::Type::too_long, "Too long", "FieldValueTooLong", false},
    {FieldError::Type::too_many, "Too many", "FieldValueTooMany", true},
    {FieldError::Type::internal, "Internal error", "InternalError", false},
    {FieldError::Type::type_invalid, "Invalid value", "FieldValueTypeInvalid", true},
};

const TypeRow& row_of(FieldError::Type type) {
  return *std::find_if(std::begin(kTypes), std::end(kTypes),
                       [&](const TypeRow& row) { return row.type == type; });
}

std::string body_of(const FieldError& error) {
  const TypeRow& row = row_of(error.type);
  std::string text(row.text);
  if (row.prints_value && !error.bad_value.empty()) text += concat(": ", error.bad_value);
  if (!error.detail.empty()) text += concat(": ", error.detail);
  return text;
}

std::string qualified_kind(const ResourceInfo& resource) {
  return resource.group.empty() ? std::string(resource.kind)
                                : concat(resource.kind, ".", resource.group);
}

}  // namespace

std::string FieldError::message() const { return concat(field, ": ", body_of(*this)); }

ApiError invalid_error(const ResourceInfo& resource, std::string_view name,
                       const FieldErrors& errors) {
  ApiError error;
  error.reason = Reason::invalid;
  error.code = default_http_code(error.reason);
  error.name = name;
  error.group = resource.group;
  error.kind = resource.kind;
  error.message = concat(qualified_kind(resource), " ", base::quote(name), " is invalid");
  std::vector<std::string> messages;
  std::set<std::string> seen;
  for (const auto& item : errors) {
    // The causes keep what is said twice, the message does not, as upstream's do.
    error.causes.push_back({std::string(row_of(item.type).reason), body_of(item), item.field});
    std::string message = item.message();
    if (seen.insert(message).second) messages.push_back(std::move(message));
  }
  if (messages.size() == 1) error.message += concat(": ", messages[0]);
  if (messages.size() > 1) error.message += concat(": [", base::join(messages, ", "), "]");
  return error;
}

FieldErrors validate_create(const ResourceInfo& resource, const Json& object) {
  rules::ErrorList errors;
  const rules::KindRules& kind = rules::rules_of(resource.group, resource.kind);
  rules::validate_metadata(object["metadata"], resource.namespaced, kind.name_check, errors);
  if (kind.on_create != nullptr) kind.on_create(object, errors);
  return errors.take();
}

FieldErrors validate_update(const ResourceInfo& resource, std::string_view subresource,
                            const Json& object, const Json& old_object) {
  rules::ErrorList errors;
  const rules::KindRules& kind = rules::rules_of(resource.group, resource.kind);
  rules::validate_metadata_update(object["metadata"], old_object["metadata"], errors);
  if (kind.on_update != nullptr) kind.on_update(object, old_object, subresource, errors);
  return errors.take();
}

}  // namespace skiff::api
