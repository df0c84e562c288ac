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

api::ApiError invalid_token_request(std::string_view field, std::string detail) {
  api::ApiError error;
  error.code = 422;
  error.reason = api::Reason::invalid;
  error.group = "authentication.k8s.io";
  error.kind = "TokenRequest";
  error.message =
      base::concat("TokenRequest.authentication.k8s.io \"\" is invalid: ", field, ": ", detail);
  error.causes.push_back({"FieldValueInvalid", std::move(detail), std::string(field)});
  return error;
}

// The object that a token is bound to: it must be there, with the uid that the request names.
api::Outcome<auth::TokenClaims> bind_token(const RequestContext& context, const Json& reference,
                                           auth::TokenClaims claims) {
  auto kind = reference["kind"].as_string();
  auto name = reference["name"].as_string();
  std::string_view resource;
  std::string_view namespace_name = claims.namespace_name;
  if (kind == "Pod") resource = "pods";
  if (kind == "Secret") resource = "secrets";
  if (kind == "Node") {
    resource = "nodes";
    namespace_name = {};
  }
  if (resource.empty()) {
    return api::bad_request_error(base::concat("cannot bind token for serviceaccount ",
                                               base::quote(claims.service_account), " to object ",
                                               kind));
  }
  auto found = context.services.reader->get("", resource, namespace_name, name);
  if (found.empty()) return api::not_found_error("", resource, name);
  auto text = found.text();
  std::string uid = api::scan_string(text, {"metadata", "uid"}).value_or("");
  auto wanted = reference["uid"].as_string();
  if (!wanted.empty() && wanted != uid) {
    return api::conflict_error("", resource, name,
                               base::concat("the UID in the bound object reference (", wanted,
                                            ") does not match the UID in record. The object "
                                            "might have been deleted and then recreated"));
  }
  if (kind == "Pod") {
    auto account = api::scan_string(text, {"spec", "serviceAccountName"}).value_or("");
    if (account != claims.service_account) {
      return api::bad_request_error(
          base::concat("cannot bind token for serviceaccount ", base::quote(claims.service_account),
                       " to pod running with different serviceaccount name."));
    }
    claims.node_name = api::scan_string(text, {"spec", "nodeName"}).value_or("");
    auto node = context.services.reader->get("", "nodes", {}, claims.node_name);
    if (!node.empty()) claims.node_uid = node.uid();
  }
  claims.bound = {std::string(kind), std::string(name), std::move(uid)};
  return claims;
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

base::Task<api::Outcome<Json>> request_token(RequestContext& context, Json request) {
  const auto& info = context.info;
  auto account =
      context.services.reader->get("", "serviceaccounts", info.namespace_name, info.name);
  if (account.empty()) co_return api::not_found_error("", "serviceaccounts", info.name);
  AdmissionHooks hooks(context, false);
  const Json nothing;
  auto mutating = hooks.mutate(request, nothing);
  SKIFF_CO_CHECK(co_await std::move(mutating));
  auto validating = hooks.validate(request, nothing);
  SKIFF_CO_CHECK(co_await std::move(validating));

  const Json& spec = std::as_const(request)["spec"];
  auth::TokenClaims claims;
  claims.namespace_name = info.namespace_name;
  claims.service_account = info.name;
  claims.service_account_uid = account.uid();
  for (const auto& audience : spec["audiences"].items()) {
    claims.audiences.emplace_back(audience.as_string());
  }
  if (claims.audiences.empty()) {
    claims.audiences.emplace_back(context.services.tokens->issuer());
  }
  claims.expiration_seconds = spec["expirationSeconds"].as_int(3600);
  if (claims.expiration_seconds < 600) {
    co_return invalid_token_request("spec.expirationSeconds",
                                    base::concat("Invalid value: ", claims.expiration_seconds,
                                                 ": may not specify a duration less than 10 "
                                                 "minutes"));
  }
  if (claims.expiration_seconds > (std::int64_t{1} << 32)) {
    co_return invalid_token_request("spec.expirationSeconds",
                                    base::concat("Invalid value: ", claims.expiration_seconds,
                                                 ": may not specify a duration larger than 2^32 "
                                                 "seconds"));
  }
  if (const Json& reference = spec["boundObjectRef"]; reference.is_object()) {
    SKIFF_CO_TRY(claims, bind_token(context, reference, std::move(claims)));
  }
  auto issued = context.services.tokens->issue(claims);
  if (!issued.is_ok()) co_return api::internal_api_error(issued.status().message());
  Json answer = std::move(request);
  answer["metadata"].set("name", info.name);
  answer["metadata"].set("namespace", info.namespace_name);
  answer["metadata"].set("creationTimestamp", base::format_rfc3339(context.services.clock().now()));
  Json audiences = Json::array();
  for (const auto& audience : claims.audiences) audiences.push_back(audience);
  answer["spec"].set("audiences", std::move(audiences));
  answer["spec"].set("expirationSeconds", Json(claims.expiration_seconds));
  answer.set("status",
             Json::object({{"token", issued->token},
                           {"expirationTimestamp", base::format_rfc3339(issued->expires)}}));
  co_return answer;
}

base::Task<ResponseOutcome> handle_token_request(RequestContext& context) {
  SKIFF_CO_TRY(auto parameters, write_parameters(context, "CreateOptions"));
  SKIFF_CO_TRY(auto form, negotiate(context, false));
  const auto* type = body_type(context.info);
  if (type == nullptr) co_return api::internal_api_error("the subresource has no type");
  SKIFF_CO_TRY(auto request, decode_body(context, *type, parameters.field_validation));
  auto task = request_token(context, std::move(request));
  SKIFF_CO_TRY(auto answer, co_await std::move(task));
  co_return json_response(201, form, answer);
}

}  // namespace skiff::apiserver
