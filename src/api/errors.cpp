#include <skiff/api/errors.h>
#include <skiff/base/strings.h>

#include <array>

namespace skiff::api {

using base::concat;
using base::quote;
using codec::Json;

namespace {

struct ReasonRow {
  Reason reason;
  std::string_view name;
  int http_code;
  base::Code code;
};

constexpr std::array kReasons = {
    ReasonRow{Reason::unknown, "", 500, base::Code::internal},
    ReasonRow{Reason::unauthorized, "Unauthorized", 401, base::Code::unauthenticated},
    ReasonRow{Reason::forbidden, "Forbidden", 403, base::Code::permission_denied},
    ReasonRow{Reason::not_found, "NotFound", 404, base::Code::not_found},
    ReasonRow{Reason::already_exists, "AlreadyExists", 409, base::Code::already_exists},
    ReasonRow{Reason::conflict, "Conflict", 409, base::Code::conflict},
    ReasonRow{Reason::gone, "Gone", 410, base::Code::expired},
    ReasonRow{Reason::invalid, "Invalid", 422, base::Code::invalid_argument},
    ReasonRow{Reason::server_timeout, "ServerTimeout", 500, base::Code::unavailable},
    ReasonRow{Reason::timeout, "Timeout", 504, base::Code::deadline_exceeded},
    ReasonRow{Reason::too_many_requests, "TooManyRequests", 429, base::Code::too_many_requests},
    ReasonRow{Reason::bad_request, "BadRequest", 400, base::Code::invalid_argument},
    ReasonRow{Reason::method_not_allowed, "MethodNotAllowed", 405, base::Code::unimplemented},
    ReasonRow{Reason::not_acceptable, "NotAcceptable", 406, base::Code::invalid_argument},
    ReasonRow{Reason::request_entity_too_large, "RequestEntityTooLarge", 413,
              base::Code::too_large},
    ReasonRow{Reason::unsupported_media_type, "UnsupportedMediaType", 415,
              base::Code::invalid_argument},
    ReasonRow{Reason::internal_error, "InternalError", 500, base::Code::internal},
    ReasonRow{Reason::expired, "Expired", 410, base::Code::expired},
    ReasonRow{Reason::service_unavailable, "ServiceUnavailable", 503, base::Code::unavailable},
};

const ReasonRow& row_of(Reason reason) {
  for (const auto& row : kReasons)
    if (row.reason == reason) return row;
  return kReasons[0];
}

base::Code code_of_http(int http_code) {
  switch (http_code) {
    case 401: return base::Code::unauthenticated;
    case 403: return base::Code::permission_denied;
    case 404: return base::Code::not_found;
    case 405: return base::Code::unimplemented;
    case 409: return base::Code::conflict;
    case 410: return base::Code::expired;
    case 413: return base::Code::too_large;
    case 429: return base::Code::too_many_requests;
    case 502:
    case 503: return base::Code::unavailable;
    case 408:
    case 504: return base::Code::deadline_exceeded;
    default:
      return http_code >= 400 && http_code < 500 ? base::Code::invalid_argument
                                                 : base::Code::internal;
  }
}

// "pods", "deployments.apps".
std::string qualified(std::string_view group, std::string_view resource) {
  return group.empty() ? std::string(resource) : concat(resource, ".", group);
}

ApiError plain_error(Reason reason, std::string message) {
  ApiError error;
  error.reason = reason;
  error.code = row_of(reason).http_code;
  error.message = std::move(message);
  return error;
}

ApiError resource_error(Reason reason, std::string_view group, std::string_view resource,
                        std::string_view name, std::string message) {
  ApiError error = plain_error(reason, std::move(message));
  error.group = group;
  error.kind = resource;
  error.name = name;
  return error;
}

Json causes_json(const std::vector<Cause>& causes) {
  Json list = Json::array();
  for (const auto& cause : causes) {
    Json item = Json::object();
    if (!cause.reason.empty()) item.set("reason", cause.reason);
    if (!cause.message.empty()) item.set("message", cause.message);
    if (!cause.field.empty()) item.set("field", cause.field);
    list.push_back(std::move(item));
  }
  return list;
}

// Also where they are empty: kubectl reads them without looking whether they are there.
bool always_has_details(Reason reason) {
  return reason == Reason::not_found || reason == Reason::forbidden ||
         reason == Reason::method_not_allowed;
}

}  // namespace

std::string_view reason_name(Reason reason) { return row_of(reason).name; }
int default_http_code(Reason reason) { return row_of(reason).http_code; }

Json ApiError::to_json() const {
  const bool success = code >= 200 && code < 300;
  Json status = Json::object({{"kind", "Status"}, {"apiVersion", "v1"}});
  status.set("metadata", Json::object());
  status.set("status", success ? "Success" : "Failure");
  if (!message.empty()) status.set("message", message);
  if (!success && reason != Reason::unknown) status.set("reason", reason_name(reason));
  Json details = Json::object();
  if (!name.empty()) details.set("name", name);
  if (!group.empty()) details.set("group", group);
  if (!kind.empty()) details.set("kind", kind);
  if (!uid.empty()) details.set("uid", uid);
  if (!causes.empty()) details.set("causes", causes_json(causes));
  if (retry_after_seconds != 0) details.set("retryAfterSeconds", Json(retry_after_seconds));
  if (!details.empty() || (!success && always_has_details(reason)))
    status.set("details", std::move(details));
  if (!success) status.set("code", code);
  return status;
}

ApiError ApiError::from_json(const Json& status) {
  ApiError error;
  const bool success = status["status"].as_string() == "Success";
  error.reason = Reason::unknown;
  for (const auto& row : kReasons)
    if (row.name == status["reason"].as_string()) error.reason = row.reason;
  error.code =
      static_cast<int>(status["code"].as_int(success ? 200 : default_http_code(error.reason)));
  error.message = status["message"].as_string();
  const Json& details = status["details"];
  error.name = details["name"].as_string();
  error.group = details["group"].as_string();
  error.kind = details["kind"].as_string();
  error.uid = details["uid"].as_string();
  error.retry_after_seconds = details["retryAfterSeconds"].as_int();
  for (const auto& cause : details["causes"].items())
    error.causes.push_back({std::string(cause["reason"].as_string()),
                            std::string(cause["message"].as_string()),
                            std::string(cause["field"].as_string())});
  return error;
}

ApiError not_found_error(std::string_view group, std::string_view resource, std::string_view name) {
  return resource_error(Reason::not_found, group, resource, name,
                        concat(qualified(group, resource), " ", quote(name), " not found"));
}

ApiError already_exists_error(std::string_view group, std::string_view resource,
                              std::string_view name) {
  return resource_error(Reason::already_exists, group, resource, name,
                        concat(qualified(group, resource), " ", quote(name), " already exists"));
}

ApiError conflict_error(std::string_view group, std::string_view resource, std::string_view name,
                        std::string_view detail) {
  return resource_error(Reason::conflict, group, resource, name,
                        concat("Operation cannot be fulfilled on ", qualified(group, resource), " ",
                               quote(name), ": ", detail));
}

ApiError forbidden_error(std::string_view group, std::string_view resource, std::string_view name,
                         std::string_view detail) {
  std::string message;
  if (resource.empty())
    message = concat("forbidden: ", detail);
  else if (name.empty())
    message = concat(qualified(group, resource), " is forbidden: ", detail);
  else
    message = concat(qualified(group, resource), " ", quote(name), " is forbidden: ", detail);
  return resource_error(Reason::forbidden, group, resource, name, std::move(message));
}

ApiError forbidden_error(std::string message) {
  return plain_error(Reason::forbidden, std::move(message));
}

ApiError already_exists_error(std::string message) {
  return plain_error(Reason::already_exists, std::move(message));
}

ApiError bad_request_error(std::string_view message) {
  return plain_error(Reason::bad_request, std::string(message));
}

ApiError method_not_allowed_error(std::string_view group, std::string_view resource,
                                  std::string_view verb) {
  return resource_error(
      Reason::method_not_allowed, group, resource, "",
      concat(verb, " is not supported on resources of kind ", quote(qualified(group, resource))));
}

ApiError expired_error(std::string_view message) {
  return plain_error(Reason::expired, std::string(message));
}

ApiError internal_api_error(std::string_view message) {
  ApiError error =
      plain_error(Reason::internal_error, concat("Internal error occurred: ", message));
  error.causes.push_back({"", std::string(message), ""});
  return error;
}

ApiError service_unavailable_error(std::string_view message) {
  return plain_error(Reason::service_unavailable, std::string(message));
}

ApiError too_many_requests_error(std::string_view message, std::int64_t retry_after_seconds) {
  ApiError error = plain_error(Reason::too_many_requests, std::string(message));
  error.retry_after_seconds = retry_after_seconds;
  return error;
}

ApiError unauthorized_error() { return plain_error(Reason::unauthorized, "Unauthorized"); }

ApiError unsupported_media_type_error(std::string_view message) {
  return plain_error(Reason::unsupported_media_type, std::string(message));
}

ApiError not_acceptable_error(std::string_view message) {
  return plain_error(Reason::not_acceptable, std::string(message));
}

ApiError too_large_error(std::string_view message) {
  return plain_error(Reason::request_entity_too_large,
                     concat("Request entity too large: ", message));
}

base::Status to_base_status(const ApiError& error) {
  if (error.code >= 200 && error.code < 300) return base::Status::ok();
  // The reason says more than the code (409 is two things), but only where it is a known one.
  base::Code code =
      error.reason == Reason::unknown ? code_of_http(error.code) : row_of(error.reason).code;
  return base::Status(code, error.message);
}

}  // namespace skiff::api
