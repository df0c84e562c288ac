// A node takes tokens for the pods that it runs, for the audiences that these name.
#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include "admission/plugins/node_restriction.h"

namespace skiff::admission {

using codec::Json;

namespace {

bool names_audience(const Json& pod, std::string_view audience) {
  for (const auto& volume : pod["spec"]["volumes"].items()) {
    for (const auto& source : volume["projected"]["sources"].items()) {
      const Json& token = source["serviceAccountToken"];
      if (token.is_object() && token["audience"].as_string() == audience) return true;
    }
  }
  return false;
}

// Roles may give a node further audiences, as resources of a verb of their own.
bool may_request(const NodeWrite& write, std::string_view audience) {
  if (write.authorizer == nullptr) return false;
  auth::Attributes a;
  a.user = write.attributes.user;
  a.verb = "request-serviceaccounts-token-audience";
  a.is_resource = true;
  a.version = "v1";
  a.resource = audience;
  a.namespace_name = write.attributes.namespace_name;
  a.name = write.attributes.name;
  return write.authorizer->authorize(a).verdict == auth::Decision::Verdict::allow;
}

api::Outcome<> check_audience(const NodeWrite& write, const api::StoredObject& stored) {
  const auto& audiences = write.object["spec"]["audiences"].items();
  if (audiences.size() > 1) return write.refuse("node may only request 0 or 1 audiences");
  const std::string_view audience = audiences.empty() ? "" : audiences[0].as_string();
  auto pod = stored.parse();
  if (!pod.is_ok()) return api::internal_api_error(pod.status().message());
  if (names_audience(*pod, audience) || may_request(write, audience)) return api::Done{};
  return write.refuse(base::concat("audience ", base::quote(audience),
                                   " not found in pod spec volume, ", write.attributes.user->name,
                                   " is not authorized to request tokens for this audience"));
}

}  // namespace

api::Outcome<> restrict_token(const NodeWrite& write) {
  const auto& a = write.attributes;
  if (a.operation != Operation::create || a.subresource != "token") return api::Done{};
  const Json& reference = write.object["spec"]["boundObjectRef"];
  const auto name = reference["name"].as_string();
  const auto uid = reference["uid"].as_string();
  if (reference["apiVersion"].as_string() != "v1" || reference["kind"].as_string() != "Pod" ||
      name.empty()) {
    return write.refuse("node requested token not bound to a pod");
  }
  if (uid.empty()) {
    return write.refuse("node requested token with a pod binding without a uid");
  }
  auto pod = write.reader.get("", "pods", a.namespace_name, name);
  if (pod.empty()) return api::not_found_error("", "pods", name);
  if (pod.uid() != uid) {
    return write.refuse(base::concat("the UID in the bound object reference (", uid,
                                     ") does not match the UID in record. The object might have "
                                     "been deleted and then recreated"));
  }
  if (api::scan_string(pod.text(), {"spec", "nodeName"}).value_or("") != write.node) {
    return write.refuse("node requested token bound to a pod scheduled on a different node");
  }
  return check_audience(write, pod);
}

}  // namespace skiff::admission
