#include "apiserver/handlers/delete_options.h"

#include <skiff/base/strings.h>

#include "apiserver/body.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

api::ApiError invalid(std::string_view field, std::string_view reason, std::string detail) {
  api::ApiError error;
  error.code = 422;
  error.reason = api::Reason::invalid;
  error.group = "meta.k8s.io";
  error.kind = "DeleteOptions";
  error.message = base::concat("DeleteOptions.meta.k8s.io \"\" is invalid: ", field, ": ", detail);
  error.causes.push_back({std::string(reason), std::move(detail), std::string(field)});
  return error;
}

Json query_options(const RequestContext& context) {
  Json options = Json::object();
  if (auto seconds = base::parse_int(context.parameter("gracePeriodSeconds"))) {
    options.set("gracePeriodSeconds", Json(*seconds));
  }
  if (auto policy = context.parameter("propagationPolicy"); !policy.empty()) {
    options.set("propagationPolicy", policy);
  }
  if (query_has(context.query, "orphanDependents")) {
    options.set("orphanDependents", query_bool(context.query, "orphanDependents"));
  }
  return options;
}

api::Outcome<std::string> propagation_of(const Json& options) {
  std::string policy(options["propagationPolicy"].as_string());
  const Json* orphan = options.find("orphanDependents");
  if (orphan != nullptr && !orphan->is_null()) {
    if (!policy.empty()) {
      return invalid("propagationPolicy", "FieldValueInvalid",
                     base::concat("Invalid value: ", base::quote(policy),
                                  ": orphanDependents and deletionPropagation cannot be both set"));
    }
    return std::string(orphan->as_bool() ? "Orphan" : "Background");
  }
  if (!policy.empty() && policy != "Foreground" && policy != "Background" && policy != "Orphan") {
    return invalid("propagationPolicy", "FieldValueNotSupported",
                   base::concat("Unsupported value: ", base::quote(policy),
                                ": supported values: \"Background\", \"Foreground\", "
                                "\"Orphan\", \"nil\""));
  }
  return policy;
}

}  // namespace

api::Outcome<registry::DeleteOptions> delete_options(RequestContext& context) {
  Json options;
  if (context.request.body.empty()) {
    options = query_options(context);
  } else {
    SKIFF_TRY(options, parse_body(context, "DeleteOptions", nullptr));
    if (!options.is_object()) {
      return api::bad_request_error(
          "the object provided is unrecognized (must be of type DeleteOptions)");
    }
  }
  const Json& given = options;
  registry::DeleteOptions result;
  SKIFF_TRY(auto parameters, write_parameters(context, "DeleteOptions"));
  result.dry_run = parameters.dry_run;
  for (const auto& value : given["dryRun"].items()) {
    if (value.as_string() != "All") {
      return invalid("dryRun", "FieldValueNotSupported",
                     base::concat("Unsupported value: ", base::quote(value.as_string()),
                                  ": supported values: \"All\""));
    }
    result.dry_run = true;
  }
  if (const Json& grace = given["gracePeriodSeconds"]; grace.is_number()) {
    result.grace_period_seconds = grace.as_int();
  } else if (!grace.is_null()) {
    return api::bad_request_error("gracePeriodSeconds must be a number");
  }
  result.uid = given["preconditions"]["uid"].as_string();
  result.resource_version = given["preconditions"]["resourceVersion"].as_string();
  SKIFF_TRY(result.propagation_policy, propagation_of(given));
  return result;
}

}  // namespace skiff::apiserver
