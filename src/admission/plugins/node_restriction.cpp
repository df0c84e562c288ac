#include "admission/plugins/node_restriction.h"

#include <skiff/api/node_user.h>
#include <skiff/api/object.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/pki/certificate.h>

namespace skiff::admission {

using codec::Json;

api::ApiError NodeWrite::refuse(std::string_view detail) const {
  return api::forbidden_error(attributes.resource->group, attributes.resource->resource,
                              attributes.name, detail);
}

std::string_view NodeWrite::operation() const {
  switch (attributes.operation) {
    case Operation::create: return "CREATE";
    case Operation::update: return "UPDATE";
    case Operation::remove: return "DELETE";
    case Operation::connect: break;
  }
  return "CONNECT";
}

namespace {

constexpr std::string_view kNodeSigners[] = {"kubernetes.io/kubelet-serving",
                                             "kubernetes.io/kube-apiserver-client-kubelet"};

api::Outcome<> restrict_lease(const NodeWrite& write) {
  if (write.attributes.namespace_name != auth::kNodeLeaseNamespace) {
    return write.refuse(base::concat("can only access leases in the ",
                                     base::quote(auth::kNodeLeaseNamespace), " system namespace"));
  }
  if (write.attributes.name != write.node) {
    return write.refuse("can only access node lease with the same name as the requesting node");
  }
  return api::Done{};
}

api::Outcome<> restrict_csi_node(const NodeWrite& write) {
  if (write.attributes.name == write.node) return api::Done{};
  return write.refuse("can only access CSINode with the same name as the requesting node");
}

// Nodes report how far the growth of a claim has come, and nothing else.
api::Outcome<> restrict_claim(const NodeWrite& write) {
  if (write.attributes.subresource != "status") return write.refuse("may only update PVC status");
  if (write.attributes.operation != Operation::update) {
    return write.refuse(base::concat("unexpected operation ", base::quote(write.operation())));
  }
  Json before = write.live;
  Json after = write.object;
  for (Json* claim : {&before, &after}) {
    for (std::string_view member : {"resourceVersion", "managedFields"}) {
      (*claim)["metadata"].erase(member);
    }
    for (std::string_view member :
         {"capacity", "conditions", "allocatedResourceStatuses", "allocatedResources"}) {
      (*claim)["status"].erase(member);
    }
  }
  if (before == after) return api::Done{};
  return write.refuse(base::concat(
      "node ", base::quote(write.node),
      " is not allowed to update fields other than status.quantity and status.conditions"));
}

api::Outcome<> restrict_signing_request(const NodeWrite& write) {
  const auto& a = write.attributes;
  if (a.operation != Operation::create || !a.subresource.empty()) return api::Done{};
  const Json& spec = write.object["spec"];
  const auto signer = spec["signerName"].as_string();
  if (signer != kNodeSigners[0] && signer != kNodeSigners[1]) return api::Done{};
  auto pem = codec::base64_decode(spec["request"].as_string());
  auto request = pem.is_ok() ? pki::inspect_signing_request(*pem) : pem.status();
  if (!request.is_ok()) {
    return write.refuse(base::concat("unable to parse csr: ", request.status().message()));
  }
  const auto name = base::concat(api::kNodeUserPrefix, write.node);
  if (request->subject.common_name == name) return api::Done{};
  return write.refuse(base::concat("can only create a node CSR with CN=", name));
}

struct Row {
  std::string_view group, resource;
  api::Outcome<> (*restrict)(const NodeWrite& write);
};
constexpr Row kRows[] = {
    {"", "pods", restrict_pod},
    {"", "nodes", restrict_node},
    {"", "serviceaccounts", restrict_token},
    {"", "persistentvolumeclaims", restrict_claim},
    {"coordination.k8s.io", "leases", restrict_lease},
    {"storage.k8s.io", "csinodes", restrict_csi_node},
    {"certificates.k8s.io", "certificatesigningrequests", restrict_signing_request},
};

// A node changes only itself, its lease and its own pods, and takes tokens only for these.
// Immutable.
class NodeRestriction final : public Plugin {
 public:
  explicit NodeRestriction(const Options& options)
      : reader_(*options.reader), authorizer_(options.authorizer) {}

  // Refuses before the rules of the kind: a node learns nothing of what it may not write.
  base::Task<api::Outcome<>> mutate(const Attributes& a, Json& object,
                                    const Json& live) const override {
    co_return check(a, object, live);
  }

 private:
  api::Outcome<> check(const Attributes& a, const Json& object, const Json& live) const {
    if (!auth::is_node(*a.user) || a.operation == Operation::connect) return api::Done{};
    const NodeWrite write{a, auth::node_name_of(*a.user), object, live, reader_, authorizer_};
    if (write.node.empty()) {
      return write.refuse(
          base::concat("could not determine node from user ", base::quote(a.user->name)));
    }
    for (const auto& row : kRows) {
      if (row.resource == a.resource->resource && row.group == a.resource->group) {
        return row.restrict(write);
      }
    }
    return api::Done{};
  }

  const auth::ObjectReader& reader_;
  const auth::Authorizer* const authorizer_;
};

}  // namespace

std::unique_ptr<Plugin> make_node_restriction(const Options& options) {
  return std::make_unique<NodeRestriction>(options);
}

}  // namespace skiff::admission
