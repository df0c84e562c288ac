// Validation of objects in upstream's words (apimachinery util/validation/field).
#pragma once

#include <skiff/api/errors.h>
#include <skiff/api/kind.h>
#include <skiff/codec/json.h>

#include <string>
#include <string_view>
#include <vector>

namespace skiff::api {

struct FieldError {
  enum class Type : unsigned char {
    not_found,
    required,
    duplicate,
    invalid,
    not_supported,
    forbidden,
    too_long,
    too_many,
    internal,
    type_invalid,
  };
  Type type = Type::invalid;
  std::string field;
  std::string
      bad_value;  // as upstream prints it, quoted where it quotes; empty when it prints none
  std::string detail;
  std::string message() const;  // `spec.replicas: Invalid value: -1: must be …`
};
using FieldErrors = std::vector<FieldError>;

// 422: "Deployment.apps \"web\" is invalid: …" with the causes.
ApiError invalid_error(const ResourceInfo& resource, std::string_view name,
                       const FieldErrors& errors);

// metadata and the kind's own rules. `object` is defaulted.
FieldErrors validate_create(const ResourceInfo& resource, const codec::Json& object);
// Immutable fields too. `subresource` is "" or "status", …
FieldErrors validate_update(const ResourceInfo& resource, std::string_view subresource,
                            const codec::Json& object, const codec::Json& old_object);

// Warnings that upstream sends for accepted objects (deprecated fields, …).
std::vector<std::string> warnings_for(const ResourceInfo& resource, const codec::Json& object);

// Empty when valid, else upstream's sentences.
std::vector<std::string> check_dns1123_label(std::string_view value);
std::vector<std::string> check_dns1123_subdomain(std::string_view value);
std::vector<std::string> check_dns1035_label(std::string_view value);
std::vector<std::string> check_qualified_name(std::string_view value);
std::vector<std::string> check_label_value(std::string_view value);

}  // namespace skiff::api
