#include "auth/node/node_authorizer.h"

#include <skiff/api/selector.h>
#include <skiff/base/strings.h>

namespace skiff::auth {

using api::PodReference;

namespace {

Decision allow() { return {Decision::Verdict::allow, {}}; }
Decision no_opinion(std::string reason) {
  return {Decision::Verdict::no_opinion, std::move(reason)};
}
Decision unrelated(std::string_view node) {
  return no_opinion(
      base::concat("no relationship found between node '", node, "' and this object"));
}

bool is_read(std::string_view verb) { return verb == "get" || verb == "list" || verb == "watch"; }
bool is_change(std::string_view verb) { return verb == "update" || verb == "patch"; }

// What every node may do, whatever runs on it.
struct Rule {
  std::string_view group, resource;
  bool (*allows)(std::string_view verb);
};
bool creates(std::string_view verb) { return verb == "create"; }
bool gets(std::string_view verb) { return verb == "get"; }
bool follows(std::string_view verb) { return verb == "list" || verb == "watch"; }
bool reads_or_creates(std::string_view verb) { return is_read(verb) || verb == "create"; }
bool records(std::string_view verb) { return verb == "create" || is_change(verb); }
constexpr Rule kRules[] = {
    {"", "services", is_read},
    {"", "events", records},
    {"events.k8s.io", "events", records},
    {"", "endpoints", gets},
    {"authentication.k8s.io", "tokenreviews", creates},
    {"authorization.k8s.io", "subjectaccessreviews", creates},
    {"authorization.k8s.io", "localsubjectaccessreviews", creates},
    {"certificates.k8s.io", "certificatesigningrequests", reads_or_creates},
    {"storage.k8s.io", "csidrivers", is_read},
    {"node.k8s.io", "runtimeclasses", is_read},
    // A node serves the addresses of Services itself, without a kube-proxy with a right of its own.
    {"discovery.k8s.io", "endpointslices", follows},
};

// Of this API's own paths: the next certificate, and the session that carries a node's watches,
// each of which is authorized by itself.
constexpr std::string_view kOwnPaths[] = {"/skiff/v1/renew", "/skiff/v1/watch"};

Decision authorize_path(std::string_view path) {
  for (auto own : kOwnPaths) {
    if (path == own) return allow();
  }
  return {};
}

bool selects_node(std::string_view selector, std::string_view node) {
  auto parsed = api::FieldSelector::parse(selector);
  if (!parsed.is_ok()) return false;
  for (const auto& term : parsed->terms()) {
    if (term.field == "spec.nodeName" && !term.negated && term.value == node) return true;
  }
  return false;
}

// NodeRestriction looks at the name of what is written.
Decision authorize_node(std::string_view node, const Attributes& a) {
  if (a.subresource == "status" && is_change(a.verb)) return allow();
  if (!a.subresource.empty()) return {};
  if (a.verb == "create" || is_change(a.verb)) return allow();
  if (!is_read(a.verb)) return {};
  if (a.name == node) return allow();
  if (a.name.empty()) {
    return no_opinion(
        base::concat("node '", node, "' cannot read all nodes, only its own Node object"));
  }
  return no_opinion(
      base::concat("node '", node, "' cannot read '", a.name, "', only its own Node object"));
}

bool is_own_verb(std::string_view verb) {
  return verb == "get" || verb == "delete" || verb == "create" || is_change(verb);
}

// A create has no name yet: NodeRestriction looks at it.
Decision authorize_lease(std::string_view node, const Attributes& a) {
  if (!is_own_verb(a.verb)) {
    return no_opinion("can only get, create, update, patch, or delete a node lease");
  }
  if (a.namespace_name != kNodeLeaseNamespace) {
    return no_opinion(base::concat("can only access leases in the ",
                                   base::quote(kNodeLeaseNamespace), " system namespace"));
  }
  if (a.verb != "create" && a.name != node) {
    return no_opinion("can only access node lease with the same name as the requesting node");
  }
  return allow();
}

Decision authorize_csi_node(std::string_view node, const Attributes& a) {
  if (!is_own_verb(a.verb)) {
    return no_opinion("can only get, create, update, patch, or delete a CSINode");
  }
  if (!a.subresource.empty()) return no_opinion("cannot authorize CSINode subresources");
  if (a.verb != "create" && a.name != node) {
    return no_opinion("can only access CSINode with the same name as the requesting node");
  }
  return allow();
}

}  // namespace

Decision NodeAuthorizer::authorize_named(std::string_view node, PodReference kind,
                                         const Attributes& a) const {
  if (a.name.empty()) return no_opinion("No Object name found");
  return graph_.names(node, kind, a.namespace_name, a.name) ? allow() : unrelated(node);
}

Decision NodeAuthorizer::authorize_read(std::string_view node, PodReference kind,
                                        const Attributes& a) const {
  if (!is_read(a.verb)) return no_opinion("can only read resources of this type");
  if (!a.subresource.empty()) return no_opinion("cannot read subresource");
  if (a.namespace_name.empty()) {
    return no_opinion("can only read namespaced object of this type");
  }
  return authorize_named(node, kind, a);
}

Decision NodeAuthorizer::authorize_get(std::string_view node, PodReference kind,
                                       const Attributes& a) const {
  if (a.verb != "get") return no_opinion("can only get individual resources of this type");
  if (!a.subresource.empty()) return no_opinion("cannot get subresource");
  return authorize_named(node, kind, a);
}

Decision NodeAuthorizer::authorize_account(std::string_view node, const Attributes& a) const {
  if (a.verb == "get" && a.subresource.empty()) {
    return authorize_get(node, PodReference::service_account, a);
  }
  if (a.verb != "create" || a.name.empty()) {
    return no_opinion("can only create tokens for individual service accounts");
  }
  if (a.subresource != "token") {
    return no_opinion("can only create token subresource of serviceaccount");
  }
  return authorize_named(node, PodReference::service_account, a);
}

// NodeRestriction looks at the pod that is written.
Decision NodeAuthorizer::authorize_pod(std::string_view node, const Attributes& a) const {
  if (a.subresource == "status") return is_change(a.verb) ? allow() : Decision();
  if (a.subresource == "eviction") return a.verb == "create" ? allow() : Decision();
  if (!a.subresource.empty()) return {};
  if (a.verb == "create" || a.verb == "delete") return allow();
  if (!is_read(a.verb)) return {};
  if (a.verb != "get" && selects_node(a.field_selector, node)) return allow();
  if (a.verb != "get" && a.name.empty()) {
    return no_opinion("can only list/watch pods with spec.nodeName field selector");
  }
  if (a.name.empty()) return no_opinion("No Object name found");
  return graph_.is_on(node, a.namespace_name, a.name) ? allow() : unrelated(node);
}

Decision NodeAuthorizer::authorize_core(std::string_view node, const Attributes& a) const {
  if (a.resource == "pods") return authorize_pod(node, a);
  if (a.resource == "nodes") return authorize_node(node, a);
  if (a.resource == "secrets") return authorize_read(node, PodReference::secret, a);
  if (a.resource == "configmaps") return authorize_read(node, PodReference::config_map, a);
  if (a.resource == "serviceaccounts") return authorize_account(node, a);
  if (a.subresource == "status") {
    if (!is_change(a.verb)) return no_opinion("can only get/update/patch this type");
    return authorize_named(node, PodReference::claim, a);
  }
  return authorize_get(node, PodReference::claim, a);
}

Decision NodeAuthorizer::authorize(const Attributes& a) const {
  if (!is_node(*a.user)) return {};
  const auto node = node_name_of(*a.user);
  if (node.empty()) {
    return no_opinion(base::concat("unknown node for user ", base::quote(a.user->name)));
  }
  if (!a.is_resource) return authorize_path(a.path);
  if (a.group.empty()) {
    for (std::string_view resource :
         {"pods", "nodes", "secrets", "configmaps", "serviceaccounts", "persistentvolumeclaims"}) {
      if (a.resource == resource) return authorize_core(node, a);
    }
  }
  if (a.group == "coordination.k8s.io" && a.resource == "leases") return authorize_lease(node, a);
  if (a.group == "storage.k8s.io" && a.resource == "csinodes") return authorize_csi_node(node, a);
  if (!a.subresource.empty()) return {};
  for (const auto& rule : kRules) {
    if (rule.resource == a.resource && rule.group == a.group && rule.allows(a.verb)) {
      return allow();
    }
  }
  return {};
}

}  // namespace skiff::auth
