// API Status objects: the errors that Kubernetes clients know (apimachinery api/errors).
#pragma once

#include <skiff/base/status.h>
#include <skiff/codec/json.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::api {

// metav1.StatusReason.
enum class Reason : unsigned char {
  unknown,
  unauthorized,
  forbidden,
  not_found,
  already_exists,
  conflict,
  gone,
  invalid,
  server_timeout,
  timeout,
  too_many_requests,
  bad_request,
  method_not_allowed,
  not_acceptable,
  request_entity_too_large,
  unsupported_media_type,
  internal_error,
  expired,
  service_unavailable,
};
std::string_view reason_name(Reason reason);  // "NotFound", …; "" for unknown
int default_http_code(Reason reason);

struct Cause {
  std::string reason;  // "FieldValueInvalid", "FieldValueRequired", …
  std::string message;
  std::string field;
};

// An error answer, or a Success Status (delete of some kinds). Value type.
struct ApiError {
  int code = 500;
  Reason reason = Reason::internal_error;
  std::string message;
  // details
  std::string name, group, kind, uid;
  std::vector<Cause> causes;
  std::int64_t retry_after_seconds = 0;

  codec::Json to_json() const;  // kind Status, apiVersion v1
  static ApiError from_json(const codec::Json& status);
};

// `resource` is "pods" or "deployments.apps" as upstream's qualified resource prints.
ApiError not_found_error(std::string_view group, std::string_view resource, std::string_view name);
ApiError already_exists_error(std::string_view group, std::string_view resource,
                              std::string_view name);
ApiError conflict_error(std::string_view group, std::string_view resource, std::string_view name,
                        std::string_view detail);
ApiError forbidden_error(std::string_view group, std::string_view resource, std::string_view name,
                         std::string_view detail);
// Of no resource: the sentence as it is.
ApiError forbidden_error(std::string message);
ApiError already_exists_error(std::string message);
ApiError bad_request_error(std::string_view message);
ApiError method_not_allowed_error(std::string_view group, std::string_view resource,
                                  std::string_view verb);
ApiError expired_error(std::string_view message);  // 410, "Expired"
ApiError internal_api_error(std::string_view message);
ApiError service_unavailable_error(std::string_view message);
ApiError too_many_requests_error(std::string_view message, std::int64_t retry_after_seconds);
ApiError unauthorized_error();
ApiError unsupported_media_type_error(std::string_view message);
ApiError not_acceptable_error(std::string_view message);
ApiError too_large_error(std::string_view message);

// The client's side: the Status code that a controller branches on (404 -> not_found, 409 with
// reason AlreadyExists -> already_exists, 409 -> conflict, 410 -> expired, 403, 401, 429, 503, …).
base::Status to_base_status(const ApiError& error);

}  // namespace skiff::api
