#include "apiserver/roles/escalation.h"

#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::apiserver {

using codec::Json;

namespace {

bool may(const RequestContext& context, std::string_view verb, std::string_view group,
         std::string_view resource, std::string_view name) {
  auth::Attributes a;
  a.user = &context.user;
  a.verb = verb;
  a.is_resource = true;
  a.group = group;
  a.version = "*";
  a.resource = resource;
  a.namespace_name = context.info.type->namespaced ? std::string_view(context.info.namespace_name)
                                                   : std::string_view();
  a.name = name;
  auto decision = context.services.authorizer->authorize(a);
  return decision.verdict == auth::Decision::Verdict::allow;
}

// What the garbage collector and finalizers change gives nobody anything.
bool changes_only_owners(const Json& object, const Json& live) {
  if (live.is_null()) return false;
  Json copy = object;
  for (std::string_view field : {"ownerReferences", "finalizers", "managedFields"}) {
    if (const Json& before = live["metadata"][field]; before.is_null()) {
      copy["metadata"].erase(field);
    } else {
      copy["metadata"].set(field, before);
    }
  }
  return copy == live;
}

api::ApiError forbidden(const RequestContext& context, const Json& object,
                        std::string_view detail) {
  return api::forbidden_error(context.info.group, context.info.resource, api::name_of(object),
                              detail);
}

auth::ResolvedRules held_rules(const RequestContext& context) {
  return context.services.rbac->rules_for(
      context.user, context.info.type->namespaced ? std::string_view(context.info.namespace_name)
                                                  : std::string_view());
}

api::Outcome<> check_rules(const RequestContext& context, const Json& object,
                           const auth::PolicyRules& wanted) {
  auto detail = auth::escalation_detail(context.user, held_rules(context), wanted);
  if (detail) return forbidden(context, object, *detail);
  return api::Done{};
}

// A role that gathers rules may gather any.
api::Outcome<> check_aggregation(const RequestContext& context, const Json& object,
                                 const Json& live) {
  auto gathers = [](const Json& role) {
    return !role["aggregationRule"]["clusterRoleSelectors"].empty();
  };
  if (!gathers(object) && !gathers(live)) return api::Done{};
  auth::PolicyRules everything(2);
  everything[0].verbs = everything[0].api_groups = everything[0].resources = {"*"};
  everything[1].verbs = everything[1].non_resource_urls = {"*"};
  if (auth::missing_rules(held_rules(context).rules, everything).empty()) return api::Done{};
  return forbidden(context, object,
                   "must have cluster-admin privileges to use the aggregationRule");
}

api::Outcome<> check_role(const RequestContext& context, const Json& object, const Json& live) {
  const auto& info = context.info;
  const auto name = info.name.empty() ? api::name_of(object) : std::string_view(info.name);
  if (may(context, "escalate", info.group, info.resource, name)) return api::Done{};
  if (changes_only_owners(object, live)) return api::Done{};
  SKIFF_CHECK(check_rules(context, object, auth::policy_rules(object)));
  return check_aggregation(context, object, live);
}

api::Outcome<> check_binding(const RequestContext& context, const Json& object, const Json& live) {
  if (changes_only_owners(object, live)) return api::Done{};
  const Json& reference = object["roleRef"];
  auto kind = reference["kind"].as_string();
  auto name = reference["name"].as_string();
  const bool cluster_role = kind == "ClusterRole";
  // Other kinds are refused by the rules of the kind.
  if (!cluster_role && kind != "Role") return api::Done{};
  const std::string_view resource = cluster_role ? "clusterroles" : "roles";
  if (may(context, "bind", reference["apiGroup"].as_string(), resource, name)) return api::Done{};
  const auto& info = context.info;
  auto wanted = context.services.rbac->role_rules(
      kind, name, info.type->namespaced ? std::string_view(info.namespace_name) : "");
  if (!wanted) {
    return api::not_found_error(auth::kRbacGroup, cluster_role ? "clusterrole" : "role", name);
  }
  return check_rules(context, object, wanted->rules);
}

}  // namespace

api::Outcome<> check_escalation(const RequestContext& context, const Json& object,
                                const Json& live) {
  const auto& info = context.info;
  if (info.group != auth::kRbacGroup || !info.subresource.empty()) return api::Done{};
  if (object.is_null() || context.user.in_group(auth::kMastersGroup)) return api::Done{};
  const bool is_role = info.resource == "roles" || info.resource == "clusterroles";
  return is_role ? check_role(context, object, live) : check_binding(context, object, live);
}

}  // namespace skiff::apiserver
