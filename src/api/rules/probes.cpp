#include "api/rules/pod_spec.h"

#include <skiff/base/strings.h>

namespace skiff::api::rules {

using base::concat;
using codec::Json;

namespace {

void validate_http(const Json& action, const std::string& path, ErrorList& errors) {
  if (action["path"].as_string().empty()) errors.required(child(path, "path"));
  validate_port_or_name(action["port"], child(path, "port"), errors);
  std::string_view scheme = action["scheme"].as_string();
  if (!contains({"HTTP", "HTTPS"}, scheme))
    errors.not_supported(child(path, "scheme"), scheme, {"HTTP", "HTTPS"});
  for (const auto& header : action["httpHeaders"].items())
    errors.invalid_each(child(path, "httpHeaders"), header["name"].as_string(),
                        check_http_header_name(header["name"].as_string()));
}

void validate_sleep(const PodContext& pod, const Json& action, const std::string& path,
                    ErrorList& errors) {
  const std::int64_t seconds = action["seconds"].as_int();
  if (pod.grace_seconds && (seconds < 0 || seconds > *pod.grace_seconds))
    errors.invalid(path, Json(seconds),
                   concat("must be non-negative and less than terminationGracePeriodSeconds (",
                          *pod.grace_seconds, ")"));
}

void validate_handler(const PodContext& pod, const Json& handler, const std::string& path,
                      ErrorList& errors) {
  std::size_t count = 0;
  for (std::string_view kind : {"exec", "httpGet", "tcpSocket", "grpc", "sleep"}) {
    const Json& action = handler[kind];
    if (action.is_null()) continue;
    const std::string action_path = child(path, kind);
    if (++count > 1) {
      errors.forbidden(action_path, "may not specify more than 1 handler type");
      continue;
    }
    if (kind == "exec") {
      if (action["command"].empty()) errors.required(child(action_path, "command"));
    } else if (kind == "httpGet") {
      validate_http(action, action_path, errors);
    } else if (kind == "sleep") {
      validate_sleep(pod, action, action_path, errors);
    } else {
      validate_port_or_name(action["port"], child(action_path, "port"), errors);
    }
  }
  if (count == 0) errors.required(path, "must specify a handler type");
}

void validate_probe(const PodContext& pod, const Json& probe, std::string_view kind,
                    const std::string& path, ErrorList& errors) {
  if (probe.is_null()) return;
  validate_handler(pod, probe, path, errors);
  for (std::string_view field : {"initialDelaySeconds", "timeoutSeconds", "periodSeconds",
                                 "successThreshold", "failureThreshold"})
    validate_not_negative(probe[field], child(path, field), errors);
  const Json& grace = probe["terminationGracePeriodSeconds"];
  if (!grace.is_null() && grace.as_int() <= 0)
    errors.invalid(child(path, "terminationGracePeriodSeconds"), grace, "must be greater than 0");
  if (kind == "readinessProbe") {
    if (!grace.is_null())
      errors.invalid(child(path, "terminationGracePeriodSeconds"), grace,
                     "must not be set for readinessProbes");
  } else if (probe["successThreshold"].as_int() != 1) {
    errors.invalid(child(path, "successThreshold"), Json(probe["successThreshold"].as_int()),
                   "must be 1");
  }
}

}  // namespace

void validate_probes(const PodContext& pod, const Json& container, const std::string& path,
                     ErrorList& errors) {
  for (std::string_view hook : {"postStart", "preStop"})
    if (const Json& handler = container["lifecycle"][hook]; !handler.is_null())
      validate_handler(pod, handler, child(child(path, "lifecycle"), hook), errors);
  for (std::string_view kind : {"livenessProbe", "readinessProbe", "startupProbe"})
    validate_probe(pod, container[kind], kind, child(path, kind), errors);
}

}  // namespace skiff::api::rules
