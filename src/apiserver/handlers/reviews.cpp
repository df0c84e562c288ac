// Questions to the authorizer, and who the caller is.
#include <skiff/api/object.h>
#include <skiff/api/validation.h>
#include <skiff/base/strings.h>

#include <algorithm>

#include "apiserver/handlers/handlers.h"

namespace skiff::apiserver {

using api::FieldError;
using codec::Json;

namespace {

Json words_json(const auth::PolicyRule::Words& words) {
  Json list = Json::array();
  for (auto word : words) list.push_back(word);
  return list;
}

void add_error(api::FieldErrors& errors, std::string field, const Json& value,
               std::string_view detail) {
  std::string text = value.is_string() ? base::quote(value.as_string()) : codec::write_json(value);
  errors.push_back(
      {FieldError::Type::invalid, std::move(field), std::move(text), std::string(detail)});
}

void check_attributes(const Json& spec, api::FieldErrors& errors) {
  const Json& resource = spec["resourceAttributes"];
  const Json& path = spec["nonResourceAttributes"];
  if (!resource.is_null() && !path.is_null()) {
    add_error(errors, "spec.nonResourceAttributes", path,
              "cannot be specified in combination with resourceAttributes");
  }
  if (resource.is_null() && path.is_null()) {
    add_error(errors, "spec.resourceAttributes", path,
              "exactly one of nonResourceAttributes or resourceAttributes must be specified");
  }
  for (std::string_view kind : {"fieldSelector", "labelSelector"}) {
    const Json& selector = resource[kind];
    if (selector.is_null()) continue;
    const bool raw = !selector["rawSelector"].empty();
    const bool requirements = !selector["requirements"].empty();
    const std::string field = base::concat("spec.resourceAttributes.", kind);
    if (raw && requirements) {
      add_error(errors, base::concat(field, ".rawSelector"), selector["rawSelector"],
                "may not specified at the same time as requirements");
    }
    if (!raw && !requirements) {
      errors.push_back({FieldError::Type::required, base::concat(field, ".requirements"), "",
                        base::concat("when ", field,
                                     " is specified, requirements or rawSelector "
                                     "is required")});
    }
  }
}

void check_subject(const Json& spec, api::FieldErrors& errors) {
  if (spec["user"].empty() && spec["groups"].empty()) {
    add_error(errors, "spec.user", spec["user"].as_string(),
              "at least one of user or group must be specified");
  }
}

// Reviews have no name; `namespaced` ones may have a namespace.
void check_metadata(const Json& review, bool namespaced, api::FieldErrors& errors) {
  for (const auto& member : review["metadata"].members()) {
    const bool allowed = member.value.is_null() || member.value.empty() ||
                         member.key == "managedFields" || (namespaced && member.key == "namespace");
    if (allowed) continue;
    add_error(errors, "metadata", review["metadata"], "must be empty");
    return;
  }
}

std::string escape_field_value(std::string_view value) {
  std::string text;
  for (char c : value) {
    if (c == '\\' || c == ',' || c == '=') text += '\\';
    text += c;
  }
  return text;
}

// "spec.nodeName=a" of a review's field selector, as the node authorizer reads it.
std::string selector_text(const Json& selector) {
  if (auto raw = selector["rawSelector"].as_string(); !raw.empty()) return std::string(raw);
  std::vector<std::string> terms;
  for (const auto& requirement : selector["requirements"].items()) {
    const auto& values = requirement["values"].items();
    if (requirement["operator"].as_string() != "In" || values.size() != 1) continue;
    terms.push_back(base::concat(requirement["key"].as_string(), "=",
                                 escape_field_value(values[0].as_string())));
  }
  return base::join(terms, ",");
}

// The status of a review: what the authorizer says to `spec` for this user.
Json access_status(const RequestContext& context, const auth::User& user, const Json& spec) {
  const Json& resource = spec["resourceAttributes"];
  auth::Attributes a;
  a.user = &user;
  a.wants_reason = true;
  a.is_resource = resource.is_object();
  const Json& asked = a.is_resource ? resource : spec["nonResourceAttributes"];
  const std::string selector = selector_text(asked["fieldSelector"]);
  a.verb = asked["verb"].as_string();
  a.path = asked["path"].as_string();
  a.group = asked["group"].as_string();
  a.version = asked["version"].as_string();
  a.resource = asked["resource"].as_string();
  a.subresource = asked["subresource"].as_string();
  a.namespace_name = asked["namespace"].as_string();
  a.name = asked["name"].as_string();
  a.field_selector = selector;
  auto decision = context.services.authorizer->authorize(a);
  Json status = Json::object({{"allowed", decision.verdict == auth::Decision::Verdict::allow}});
  if (decision.verdict == auth::Decision::Verdict::deny) status.set("denied", true);
  if (!decision.reason.empty()) status.set("reason", decision.reason);
  return status;
}

auth::User user_of(const Json& spec) {
  auth::User user;
  user.name = spec["user"].as_string();
  user.uid = spec["uid"].as_string();
  for (const auto& group : spec["groups"].items()) user.groups.emplace_back(group.as_string());
  for (const auto& extra : spec["extra"].members()) {
    std::vector<std::string> values;
    for (const auto& value : extra.value.items()) values.emplace_back(value.as_string());
    user.extra.push_back({extra.key, std::move(values)});
  }
  return user;
}

api::Outcome<Json> review_access(RequestContext& context, Json review) {
  const Json spec = std::as_const(review)["spec"];
  api::FieldErrors errors;
  check_attributes(spec, errors);
  check_subject(spec, errors);
  check_metadata(review, false, errors);
  if (!errors.empty()) return api::invalid_error(*context.info.type, "", errors);
  review.set("status", access_status(context, user_of(spec), spec));
  return review;
}

api::Outcome<Json> review_local_access(RequestContext& context, Json review) {
  const auto& where = context.info.namespace_name;
  auto given = api::namespace_of(review);
  if (!given.empty() && given != where) {
    return api::bad_request_error(
        "the namespace of the provided object does not match the namespace sent on the request");
  }
  review["metadata"].set("namespace", where);
  const Json spec = std::as_const(review)["spec"];
  api::FieldErrors errors;
  check_attributes(spec, errors);
  check_subject(spec, errors);
  check_metadata(review, true, errors);
  const Json& resource = spec["resourceAttributes"];
  if (resource.is_object() && resource["namespace"].as_string() != where) {
    add_error(errors, "spec.resourceAttributes.namespace", resource["namespace"].as_string(),
              "must match metadata.namespace");
  }
  if (!spec["nonResourceAttributes"].is_null()) {
    add_error(errors, "spec.nonResourceAttributes", spec["nonResourceAttributes"],
              "disallowed on this kind of request");
  }
  if (!errors.empty()) return api::invalid_error(*context.info.type, "", errors);
  review.set("status", access_status(context, user_of(spec), spec));
  return review;
}

api::Outcome<Json> review_own_access(RequestContext& context, Json review) {
  const Json spec = std::as_const(review)["spec"];
  api::FieldErrors errors;
  check_attributes(spec, errors);
  check_metadata(review, false, errors);
  if (!errors.empty()) return api::invalid_error(*context.info.type, "", errors);
  review.set("status", access_status(context, context.user, spec));
  return review;
}

api::Outcome<Json> review_own_rules(RequestContext& context, Json review) {
  const std::string where(review.at({"spec", "namespace"}).as_string());
  if (where.empty()) return api::bad_request_error("no namespace on request");
  auto held = context.services.rbac->rules_for(context.user, where);
  Json resources = Json::array();
  Json paths = Json::array();
  for (const auto& rule : held.rules) {
    if (!rule.resources.empty()) {
      Json json = Json::object({{"verbs", words_json(rule.verbs)},
                                {"apiGroups", words_json(rule.api_groups)},
                                {"resources", words_json(rule.resources)}});
      if (!rule.resource_names.empty()) json.set("resourceNames", words_json(rule.resource_names));
      resources.push_back(std::move(json));
    }
    if (!rule.non_resource_urls.empty()) {
      paths.push_back(Json::object({{"verbs", words_json(rule.verbs)},
                                    {"nonResourceURLs", words_json(rule.non_resource_urls)}}));
    }
  }
  auto errors = std::move(held.errors);
  const bool is_node = !auth::node_name_of(context.user).empty();
  if (is_node)
    errors.insert(errors.begin(), "node authorizer does not support user rule resolution");
  Json status = Json::object({{"resourceRules", std::move(resources)},
                              {"nonResourceRules", std::move(paths)},
                              {"incomplete", is_node}});
  if (!errors.empty()) status.set("evaluationError", base::join(errors, ", "));
  review.set("status", std::move(status));
  return review;
}

api::Outcome<Json> review_self(RequestContext& context, Json review) {
  review["metadata"].set("creationTimestamp", base::format_rfc3339(context.services.clock().now()));
  review.set("status", Json::object({{"userInfo", user_info(context.user)}}));
  return review;
}

struct Row {
  std::string_view group, resource;
  Review review;
};
constexpr Row kReviews[] = {
    {"authentication.k8s.io", "selfsubjectreviews", review_self},
    {"authentication.k8s.io", "tokenreviews", review_token},
    {"authorization.k8s.io", "localsubjectaccessreviews", review_local_access},
    {"authorization.k8s.io", "selfsubjectaccessreviews", review_own_access},
    {"authorization.k8s.io", "selfsubjectrulesreviews", review_own_rules},
    {"authorization.k8s.io", "subjectaccessreviews", review_access},
};

}  // namespace

Review find_review(const RequestInfo& info) {
  if (!info.subresource.empty()) return nullptr;
  for (const auto& row : kReviews) {
    if (row.group == info.group && row.resource == info.resource) return row.review;
  }
  return nullptr;
}

base::Task<ResponseOutcome> handle_review(RequestContext& context) {
  SKIFF_CO_TRY(auto parameters, write_parameters(context, "CreateOptions"));
  SKIFF_CO_TRY(auto form, negotiate(context, false));
  SKIFF_CO_TRY(auto body,
               decode_body(context, *context.info.type->type, parameters.field_validation));
  SKIFF_CO_TRY(auto answer, find_review(context.info)(context, std::move(body)));
  co_return json_response(201, form, answer);
}

}  // namespace skiff::apiserver
