#include <skiff/api/defaults.h>
#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include "apiserver/handlers/handlers.h"
#include "apiserver/hooks.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

const api::TypeInfo& core_type(std::string_view kind) {
  const auto* type = api::find_type("", "v1", kind);
  SKIFF_ASSERT(type != nullptr);
  return *type;
}

}  // namespace

base::Task<api::Outcome<>> bind_pod(RequestContext& context, Json binding, bool dry_run) {
  AdmissionHooks hooks(context, dry_run);
  auto binding_pod =
      context.services.registry->bind(context.scope(), std::move(binding), dry_run, hooks);
  co_return co_await std::move(binding_pod);
}

base::Task<ResponseOutcome> handle_binding(RequestContext& context) {
  SKIFF_CO_TRY(auto parameters, write_parameters(context, "CreateOptions"));
  SKIFF_CO_TRY(auto form, negotiate(context, false));
  SKIFF_CO_TRY(auto binding,
               decode_body(context, core_type("Binding"), parameters.field_validation));
  auto name = api::name_of(binding);
  if (!name.empty() && name != context.info.name) {
    co_return api::bad_request_error(base::concat("the name of the object (", name,
                                                  ") does not match the name on the URL (",
                                                  context.info.name, ")"));
  }
  auto task = bind_pod(context, std::move(binding), parameters.dry_run);
  SKIFF_CO_CHECK(co_await std::move(task));
  co_return json_response(201, form, success_status(201));
}

base::Task<ResponseOutcome> handle_legacy_binding(RequestContext& context) {
  SKIFF_CO_TRY(auto body, parse_body(context, "Binding", nullptr));
  context.info.name = api::name_of(body);
  context.info.resource = "pods";
  context.info.subresource = "binding";
  context.info.type = api::find_resource("", "v1", "pods");
  context.info.subtype = api::find_subresource(*context.info.type, "binding");
  if (context.info.name.empty()) co_return api::bad_request_error("name is required");
  auto task = handle_binding(context);
  co_return co_await std::move(task);
}

base::Task<ResponseOutcome> handle_eviction(RequestContext& context) {
  SKIFF_CO_TRY(auto parameters, write_parameters(context, "CreateOptions"));
  SKIFF_CO_TRY(auto form, negotiate(context, false));
  const auto* type = body_type(context.info);
  if (type == nullptr) co_return api::internal_api_error("the subresource has no type");
  SKIFF_CO_TRY(auto eviction, decode_body(context, *type, parameters.field_validation));
  const Json& given = std::as_const(eviction)["deleteOptions"];
  registry::DeleteOptions options;
  options.dry_run = parameters.dry_run || !given["dryRun"].empty();
  if (given["gracePeriodSeconds"].is_number()) {
    options.grace_period_seconds = given["gracePeriodSeconds"].as_int();
  }
  options.uid = given["preconditions"]["uid"].as_string();
  options.resource_version = given["preconditions"]["resourceVersion"].as_string();
  options.propagation_policy = given["propagationPolicy"].as_string();
  auto removing = delete_object(context, std::move(options));
  SKIFF_CO_TRY(auto deleted, co_await std::move(removing));
  co_return json_response(201, form, success_status(201));
}

}  // namespace skiff::apiserver
