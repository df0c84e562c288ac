#include "auth/node_authorizer.h"

#include <skiff/api/pod_references.h>
#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::auth {

using codec::Json;

namespace {

Decision allow() { return {Decision::Verdict::allow, {}}; }
Decision no_opinion(std::string reason) {
  return {Decision::Verdict::no_opinion, std::move(reason)};
}

bool is_read(std::string_view verb) { return verb == "get" || verb == "list" || verb == "watch"; }
bool is_write(std::string_view verb) {
  return verb == "create" || verb == "update" || verb == "patch";
}

// What every node reads whole: addresses of services and of other nodes.
constexpr std::pair<std::string_view, std::string_view> kReadable[] = {
    {"", "services"}, {"", "endpoints"},  {"discovery.k8s.io", "endpointslices"},
    {"", "nodes"},    {"", "namespaces"},
};

bool selects_own_pods(std::string_view selector, std::string_view node) {
  for (auto term : base::split(selector, ',')) {
    for (std::string_view prefix : {"spec.nodeName==", "spec.nodeName="}) {
      if (base::starts_with(term, prefix) && term.substr(prefix.size()) == node) return true;
    }
  }
  return false;
}

}  // namespace

bool pod_refers_to(const Json& pod, std::string_view kind, std::string_view name) {
  auto wanted = api::PodReference::service_account;
  if (kind == "secrets") wanted = api::PodReference::secret;
  if (kind == "configmaps") wanted = api::PodReference::config_map;
  bool found = false;
  api::visit_pod_references(pod, [&](api::PodReference one, std::string_view one_name) {
    found = one == wanted && one_name == name;
    return !found;
  });
  return found;
}

Decision NodeAuthorizer::authorize_pods(std::string_view node, const Attributes& a) const {
  if (a.verb == "list" || a.verb == "watch") {
    if (selects_own_pods(a.field_selector, node)) return allow();
    return no_opinion("can only list/watch pods with spec.nodeName field selector");
  }
  if (a.subresource == "eviction") return allow();  // NodeRestriction looks at the pod
  if (a.verb == "create" && a.subresource.empty()) return allow();
  const bool own_verb = a.verb == "get" || (a.verb == "delete" && a.subresource.empty()) ||
                        (is_write(a.verb) && a.subresource == "status");
  if (!own_verb) return no_opinion({});
  auto pod = reader_.get("", "pods", a.namespace_name, a.name);
  // Of a pod that is gone the node learns just that.
  if (pod.empty()) return allow();
  auto bound = api::scan_string(pod.text(), {"spec", "nodeName"});
  if (bound && *bound == node) return allow();
  return no_opinion(
      base::concat("no relationship found between node '", node, "' and this object"));
}

Decision NodeAuthorizer::authorize_referenced(std::string_view node, const Attributes& a) const {
  const bool is_account = a.resource == "serviceaccounts";
  const bool token = is_account && a.subresource == "token" && a.verb == "create";
  const bool reading = a.subresource.empty() && is_read(a.verb);
  if (!token && !reading) {
    return no_opinion("can only read namespaced object of this type");
  }
  if (a.name.empty() || a.namespace_name.empty()) {
    return no_opinion("can only read namespaced object of this type");
  }
  const std::string node_member = base::concat("\"nodeName\":\"", node, "\"");
  bool found = false;
  reader_.scan("", "pods", a.namespace_name, [&](const api::StoredObject& pod) {
    auto text = pod.text();
    if (text.find(node_member) == text.npos || text.find(a.name) == text.npos) return true;
    auto tree = pod.parse();
    if (!tree.is_ok() || (*tree)["spec"]["nodeName"].as_string() != node) return true;
    // A node makes its mirror pods itself: they must not open what it may not read.
    if (!api::annotation(*tree, "kubernetes.io/config.mirror").empty()) return true;
    found = pod_refers_to(*tree, a.resource, a.name);
    return !found;
  });
  if (found) return allow();
  return no_opinion(
      base::concat("no relationship found between node '", node, "' and this object"));
}

Decision NodeAuthorizer::authorize(const Attributes& a) const {
  const auto node = node_name_of(*a.user);
  if (node.empty() || !a.is_resource) return {};
  if (a.group.empty()) {
    if (a.resource == "pods") return authorize_pods(node, a);
    if (a.resource == "secrets" || a.resource == "configmaps" || a.resource == "serviceaccounts") {
      return authorize_referenced(node, a);
    }
    if (a.resource == "nodes" && is_write(a.verb)) {
      if (a.verb == "create" || a.name == node) return allow();
      return no_opinion(base::concat("node '", node, "' cannot modify node '", a.name, "'"));
    }
  }
  if (a.resource == "events" && (a.group.empty() || a.group == "events.k8s.io")) {
    return is_write(a.verb) ? allow() : no_opinion({});
  }
  if (a.group == "coordination.k8s.io" && a.resource == "leases") {
    const bool known = is_write(a.verb) || a.verb == "get" || a.verb == "delete";
    const bool own = a.namespace_name == "kube-node-lease" &&
                     (a.name == node || (a.verb == "create" && a.name.empty()));
    return known && own ? allow()
                        : no_opinion(
                              "can only access node lease with the same name as the "
                              "requesting node");
  }
  if (is_read(a.verb) && a.subresource.empty()) {
    for (const auto& [group, resource] : kReadable) {
      if (group == a.group && resource == a.resource) return allow();
    }
  }
  return {};
}

}  // namespace skiff::auth
