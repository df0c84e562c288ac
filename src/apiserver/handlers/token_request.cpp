// POST serviceaccounts/<name>/token: a token for the account, bound or not.
#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include <algorithm>
#include <utility>

#include "apiserver/handlers/handlers.h"
#include "apiserver/hooks.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

constexpr std::string_view kGroup = "authentication.k8s.io";
constexpr std::string_view kKind = "TokenRequest";
constexpr std::int64_t kLifetimeSecondsDefault = 3600, kLifetimeSecondsMin = 600,
                       kLifetimeSecondsMax = std::int64_t{1} << 32;

api::ApiError invalid_request(std::string_view name, std::string_view field, std::string detail) {
  api::ApiError error;
  error.code = 422;
  error.reason = api::Reason::invalid;
  error.group = kGroup;
  error.kind = kKind;
  error.name = name;
  error.message = base::concat(kKind, ".", kGroup, " ", base::quote(name), " is invalid: ", field,
                               ": ", detail);
  error.causes.push_back({"FieldValueInvalid", std::move(detail), std::string(field)});
  return error;
}

// The body may name the account that the path names, and no other.
api::Outcome<> check_names(const RequestInfo& info, const Json& request) {
  const auto check = [&](std::string_view field, std::string_view given,
                         std::string_view wanted) -> api::Outcome<> {
    if (given.empty() || given == wanted) return api::Done{};
    return invalid_request(
        info.name, base::concat("metadata.", field),
        base::concat("Invalid value: ", base::quote(given), ": must match the service account ",
                     field, " if specified"));
  };
  SKIFF_CHECK(check("name", api::name_of(request), info.name));
  return check("namespace", api::namespace_of(request), info.namespace_name);
}

api::Outcome<> check_lifetime(std::int64_t seconds) {
  std::string_view limit;
  if (seconds < kLifetimeSecondsMin) limit = "less than 10 minutes";
  if (seconds > kLifetimeSecondsMax) limit = "larger than 2^32 seconds";
  if (limit.empty()) return api::Done{};
  return invalid_request(
      "", "spec.expirationSeconds",
      base::concat("Invalid value: ", seconds, ": may not specify a duration ", limit));
}

struct BoundKind {
  std::string_view kind, resource;
  bool namespaced;
};
constexpr BoundKind kBoundKinds[] = {
    {"Pod", "pods", true}, {"Node", "nodes", false}, {"Secret", "secrets", true}};

// The kind that a token may be bound to; null for all others. As upstream, only the group of the
// apiVersion counts.
const BoundKind* find_bound_kind(const Json& reference) {
  if (reference["apiVersion"].as_string().find('/') != std::string_view::npos) return nullptr;
  for (const auto& row : kBoundKinds) {
    if (row.kind == reference["kind"].as_string()) return &row;
  }
  return nullptr;
}

// "group/version, Kind=kind" as Go prints it.
std::string type_text(const Json& reference) {
  const auto version = reference["apiVersion"].as_string();
  const bool has_group = version.find('/') != std::string_view::npos;
  return base::concat(has_group ? "" : "/", version, ", Kind=", reference["kind"].as_string());
}

void add_node_of(const RequestContext& context, std::string_view pod, auth::TokenClaims& claims) {
  claims.node_name = api::scan_string(pod, {"spec", "nodeName"}).value_or("");
  if (claims.node_name.empty()) return;
  auto node = context.services.reader->get("", "nodes", {}, claims.node_name);
  if (!node.empty()) claims.node_uid = node.uid();
}

// The object that a token is bound to: it must be there, with the uid that the request names.
api::Outcome<> bind(const RequestContext& context, const Json& reference,
                    auth::TokenClaims& claims) {
  const auto* kind = find_bound_kind(reference);
  if (kind == nullptr) {
    return api::bad_request_error(
        base::concat("cannot bind token to object of type ", type_text(reference)));
  }
  const auto name = reference["name"].as_string();
  const std::string namespace_name = kind->namespaced ? claims.namespace_name : std::string();
  auto found = context.services.reader->get("", kind->resource, namespace_name, name);
  if (found.empty()) return api::not_found_error("", kind->resource, name);
  const auto text = found.text();
  if (kind->kind == "Pod") {
    auto account = api::scan_string(text, {"spec", "serviceAccountName"}).value_or("");
    if (account != claims.service_account) {
      return api::bad_request_error(
          base::concat("cannot bind token for serviceaccount ", base::quote(claims.service_account),
                       " to pod running with different serviceaccount name."));
    }
    add_node_of(context, text, claims);
  }
  const auto wanted = reference["uid"].as_string();
  if (!wanted.empty() && wanted != found.uid()) {
    return api::conflict_error("", kind->kind, name,
                               base::concat("the UID in the bound object reference (", wanted,
                                            ") does not match the UID in record. The object "
                                            "might have been deleted and then recreated"));
  }
  claims.bound = {std::string(kind->kind), std::string(name), std::string(found.uid())};
  return api::Done{};
}

// What the request leaves open, and what it may not say.
api::Outcome<> complete(const RequestContext& context, const api::StoredObject& account,
                        Json& request) {
  const auto given = api::uid_of(request);
  if (!given.empty() && given != account.uid()) {
    return api::conflict_error(
        kGroup, kKind, context.info.name,
        base::concat("the UID in the token request (", given,
                     ") does not match the UID of the service account (", account.uid(), ")"));
  }
  Json& metadata = request["metadata"];
  metadata.set("name", context.info.name);
  metadata.set("namespace", context.info.namespace_name);
  metadata.set("uid", account.uid());
  metadata.set("creationTimestamp", base::format_rfc3339(context.services.clock().now()));
  Json& spec = request["spec"];
  if (std::as_const(spec)["audiences"].empty()) {
    spec.set("audiences", Json::array({Json(context.services.tokens->issuer())}));
  }
  if (!std::as_const(spec)["expirationSeconds"].is_number()) {
    spec.set("expirationSeconds", Json(kLifetimeSecondsDefault));
  }
  request.erase("status");
  return api::Done{};
}

// kubelet's tokens of the default volume live longer than it asks for.
void extend(std::string_view own_audience, auth::TokenClaims& claims) {
  const bool own = std::all_of(claims.audiences.begin(), claims.audiences.end(),
                               [&](const std::string& one) { return one == own_audience; });
  if (claims.bound.kind != "Pod" || !own) return;
  if (claims.expiration_seconds != auth::kDefaultVolumeTokenSeconds) return;
  claims.warn_after_seconds = claims.expiration_seconds;
  claims.expiration_seconds = auth::kExtendedTokenSeconds;
}

}  // namespace

base::Task<api::Outcome<Json>> request_token(RequestContext& context, Json request) {
  const auto& info = context.info;
  auto& tokens = *context.services.tokens;
  AdmissionHooks hooks(context, false);
  const Json nothing;
  auto mutating = hooks.mutate(request, nothing);
  SKIFF_CO_CHECK(co_await std::move(mutating));
  SKIFF_CO_CHECK(check_names(info, request));
  auto account =
      context.services.reader->get("", "serviceaccounts", info.namespace_name, info.name);
  if (account.empty()) co_return api::not_found_error("", "serviceaccounts", info.name);
  SKIFF_CO_CHECK(complete(context, account, request));
  const auto now = context.services.clock().now();
  auth::TokenClaims claims;
  claims.expiration_seconds = std::as_const(request)["spec"]["expirationSeconds"].as_int();
  const auto asked_seconds = claims.expiration_seconds;
  SKIFF_CO_CHECK(check_lifetime(asked_seconds));
  auto validating = hooks.validate(request, nothing);
  SKIFF_CO_CHECK(co_await std::move(validating));

  const Json& spec = std::as_const(request)["spec"];
  claims.namespace_name = info.namespace_name;
  claims.service_account = info.name;
  claims.service_account_uid = account.uid();
  for (const auto& audience : spec["audiences"].items()) {
    claims.audiences.emplace_back(audience.as_string());
  }
  if (const Json& reference = spec["boundObjectRef"]; reference.is_object()) {
    SKIFF_CO_CHECK(bind(context, reference, claims));
  }
  extend(tokens.issuer(), claims);
  auto issued = tokens.issue(claims);
  if (!issued.is_ok()) {
    co_return api::internal_api_error(
        base::concat("failed to generate token: ", issued.status().message()));
  }
  // Of an extended token too: when the client is to ask for the next one.
  const auto expires = now + std::chrono::seconds(asked_seconds);
  request.set("status", Json::object({{"token", issued->token},
                                      {"expirationTimestamp", base::format_rfc3339(expires)}}));
  co_return request;
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
