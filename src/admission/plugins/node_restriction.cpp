#include <skiff/api/object.h>
#include <skiff/api/pod_references.h>
#include <skiff/base/strings.h>

#include "admission/plugin.h"

namespace skiff::admission {

using codec::Json;

namespace {

constexpr std::string_view kRestrictedPrefix = "node-restriction.kubernetes.io/";

bool restricted_labels_differ(const Json& object, const Json& live) {
  const Json& after = object["metadata"]["labels"];
  const Json& before = live["metadata"]["labels"];
  auto differs = [](const Json& a, const Json& b) {
    for (const auto& label : a.members()) {
      auto domain = label.key.substr(0, label.key.find('/') + 1);
      const bool restricted = base::ends_with(domain, kRestrictedPrefix);
      if (restricted && b[label.key] != label.value) return true;
    }
    return false;
  };
  return differs(after, before) || differs(before, after);
}

// A node changes only itself, its lease and its own pods. Immutable.
class NodeRestriction final : public Plugin {
 public:
  explicit NodeRestriction(const Options& options) : reader_(*options.reader) {}

  base::Task<api::Outcome<>> validate(const Attributes& a, const Json& object,
                                      const Json& live) const override {
    const auto node = auth::node_name_of(*a.user);
    if (node.empty()) co_return api::Done{};
    const auto& r = *a.resource;
    if (r.group.empty() && r.resource == "nodes") co_return check_node(node, a, object, live);
    if (r.group.empty() && r.resource == "pods") co_return check_pod(node, a, object, live);
    if (r.group.empty() && r.resource == "serviceaccounts" && a.subresource == "token") {
      co_return check_token(node, a, object);
    }
    if (r.resource == "leases") co_return check_lease(node, a);
    co_return api::Done{};
  }

 private:
  static api::ApiError refuse(const Attributes& a, std::string detail) {
    return api::forbidden_error(a.resource->group, a.resource->resource, a.name, detail);
  }

  static api::Outcome<> check_node(std::string_view node, const Attributes& a, const Json& object,
                                   const Json& live) {
    if (a.name != node) {
      return refuse(a, base::concat("node ", base::quote(node), " is not allowed to modify node ",
                                    base::quote(a.name)));
    }
    if (a.operation == Operation::remove) return api::Done{};
    if (restricted_labels_differ(object, live)) {
      return refuse(a, base::concat("is not allowed to modify labels: ", kRestrictedPrefix, "*"));
    }
    const bool taints_differ = object["spec"]["taints"] != live["spec"]["taints"];
    if (a.operation == Operation::update && taints_differ) {
      return refuse(a,
                    base::concat("node ", base::quote(node), " is not allowed to modify taints"));
    }
    return api::Done{};
  }

  // What a mirror pod names, that a node could then read; empty when it names nothing.
  static std::string_view reference_of(const Json& pod) {
    using Kind = api::PodReference;
    std::uint32_t seen = 0;
    auto bit = [](Kind kind) { return 1u << static_cast<unsigned>(kind); };
    api::visit_pod_references(pod, [&](Kind kind, std::string_view) {
      seen |= bit(kind);
      return true;
    });
    if ((seen & (bit(Kind::service_account) | bit(Kind::service_account_token))) != 0)
      return "a service account";
    if ((seen & bit(Kind::secret)) != 0) return "secrets";
    if ((seen & bit(Kind::config_map)) != 0) return "configmaps";
    return (seen & bit(Kind::claim)) != 0 ? "persistentvolumeclaims" : "";
  }

  static api::Outcome<> check_pod(std::string_view node, const Attributes& a, const Json& object,
                                  const Json& live) {
    const Json& pod = live.is_null() ? object : live;
    const bool own = pod["spec"]["nodeName"].as_string() == node;
    if (a.operation == Operation::create && a.subresource.empty()) {
      if (api::annotation(object, "kubernetes.io/config.mirror").empty()) {
        return refuse(a, base::concat("pod does not have \"kubernetes.io/config.mirror\" "
                                      "annotation, node ",
                                      base::quote(node), " can only create mirror pods"));
      }
      if (!own) {
        return refuse(a, base::concat("node ", base::quote(node),
                                      " can only create pods with spec.nodeName set to itself"));
      }
      if (auto named = reference_of(object); !named.empty()) {
        return refuse(a, base::concat("node ", base::quote(node),
                                      " can not create pods that reference ", named));
      }
      return api::Done{};
    }
    if (own) return api::Done{};
    std::string_view what = "delete pods";
    if (a.subresource == "status") what = "update pod status for pods";
    if (a.subresource == "eviction") what = "evict pods";
    return refuse(a, base::concat("node ", base::quote(node), " can only ", what,
                                  " with spec.nodeName set to itself"));
  }

  api::Outcome<> check_token(std::string_view node, const Attributes& a,
                             const Json& request) const {
    const Json& reference = request["spec"]["boundObjectRef"];
    if (reference["kind"].as_string() != "Pod" || reference["name"].as_string().empty()) {
      return refuse(a, "node requested token not bound to a pod");
    }
    auto pod = reader_.get("", "pods", a.namespace_name, reference["name"].as_string());
    if (pod.empty()) return api::not_found_error("", "pods", reference["name"].as_string());
    auto text = pod.text();
    if (api::scan_string(text, {"metadata", "uid"}).value_or("") != reference["uid"].as_string()) {
      return refuse(a, "the UID in the bound object reference does not match the UID in record");
    }
    if (api::scan_string(text, {"spec", "nodeName"}).value_or("") != node) {
      return refuse(a, "node requested token bound to a pod scheduled on a different node");
    }
    if (api::scan_string(text, {"spec", "serviceAccountName"}).value_or("") != a.name) {
      return refuse(a, "node requested token bound to a pod with a different service account");
    }
    return api::Done{};
  }

  static api::Outcome<> check_lease(std::string_view node, const Attributes& a) {
    if (a.namespace_name != "kube-node-lease") {
      return refuse(a, "can only access leases in the \"kube-node-lease\" system namespace");
    }
    if (a.name != node) {
      return refuse(a, "can only access node lease with the same name as the requesting node");
    }
    return api::Done{};
  }

  const auth::ObjectReader& reader_;
};

}  // namespace

std::unique_ptr<Plugin> make_node_restriction(const Options& options) {
  return std::make_unique<NodeRestriction>(options);
}

}  // namespace skiff::admission
