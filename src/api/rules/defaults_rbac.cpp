#include "api/rules/defaults_rules.h"

namespace skiff::api {

namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";

void default_role_reference(codec::Json& reference) {
  if (reference.at({"apiGroup"}).as_string().empty()) reference.set("apiGroup", kGroup);
}

void default_subject(codec::Json& subject) {
  if (!subject.at({"apiGroup"}).as_string().empty()) return;
  auto kind = subject.at({"kind"}).as_string();
  if (kind == "User" || kind == "Group") subject.set("apiGroup", kGroup);
}

constexpr DefaultRule kRules[] = {
    {"io.k8s.api.rbac.v1.RoleRef", default_role_reference},
    {"io.k8s.api.rbac.v1.Subject", default_subject},
};

}  // namespace

std::span<const DefaultRule> rbac_default_rules() { return kRules; }

}  // namespace skiff::api
