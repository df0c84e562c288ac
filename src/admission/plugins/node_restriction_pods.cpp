// Nodes show the pods of their own files as mirror pods, and report on the pods that they run.
#include <skiff/api/object.h>
#include <skiff/api/pod_references.h>
#include <skiff/base/strings.h>

#include "admission/plugins/node_restriction.h"

namespace skiff::admission {

using codec::Json;

namespace {

std::string node_text(const NodeWrite& write, std::string_view rest) {
  return base::concat("node ", base::quote(write.node), rest);
}

api::Outcome<> check_owner(const NodeWrite& write) {
  const auto& owners = write.object["metadata"]["ownerReferences"].items();
  if (owners.size() > 1) {
    return write.refuse(
        node_text(write, " can only create pods with a single owner reference set to itself"));
  }
  const auto not_own =
      node_text(write, " can only create pods with an owner reference set to itself");
  if (owners.empty()) return write.refuse(not_own);
  const Json& owner = owners[0];
  if (owner["apiVersion"].as_string() != "v1" || owner["kind"].as_string() != "Node" ||
      owner["name"].as_string() != write.node) {
    return write.refuse(not_own);
  }
  if (!owner["controller"].as_bool(false)) {
    return write.refuse(
        node_text(write, " can only create pods with a controller owner reference set to itself"));
  }
  if (owner["blockOwnerDeletion"].as_bool(false)) {
    return write.refuse(node_text(write, " must not set blockOwnerDeletion on an owner reference"));
  }
  auto node = write.reader.get("", "nodes", {}, write.node);
  if (node.empty()) return api::not_found_error("", "nodes", write.node);
  if (owner["uid"].as_string() != node.uid()) {
    return write.refuse(base::concat("node ", write.node, " UID mismatch: expected ",
                                     owner["uid"].as_string(), " got ", node.uid()));
  }
  return api::Done{};
}

api::Outcome<> check_create(const NodeWrite& write) {
  const Json& annotations = write.object["metadata"]["annotations"];
  if (annotations.find("kubernetes.io/config.mirror") == nullptr) {
    return write.refuse(
        base::concat("pod does not have \"kubernetes.io/config.mirror\" "
                     "annotation, node ",
                     base::quote(write.node), " can only create mirror pods"));
  }
  if (write.object["spec"]["nodeName"].as_string() != write.node) {
    return write.refuse(node_text(write, " can only create pods with spec.nodeName set to itself"));
  }
  SKIFF_CHECK(check_owner(write));
  if (auto named = api_reference_of(write.object); !named.empty()) {
    return write.refuse(
        node_text(write, base::concat(" can not create pods that reference ", named)));
  }
  return api::Done{};
}

// The names of the claims that were made for the pod's spec.resourceClaims.
bool same_claims(const Json& a, const Json& b) {
  const auto& left = a["status"]["resourceClaimStatuses"].items();
  const auto& right = b["status"]["resourceClaimStatuses"].items();
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    for (std::string_view member : {"name", "resourceClaimName"}) {
      if (left[i][member] != right[i][member]) return false;
    }
  }
  return true;
}

bool same_labels(const Json& a, const Json& b) {
  const Json& left = a["metadata"]["labels"];
  const Json& right = b["metadata"]["labels"];
  return left == right || (left.empty() && right.empty());
}

api::Outcome<> check_status(const NodeWrite& write) {
  if (write.attributes.operation != Operation::update) {
    return write.refuse(base::concat("unexpected operation ", base::quote(write.operation())));
  }
  if (write.live["spec"]["nodeName"].as_string() != write.node) {
    return write.refuse(
        node_text(write, " can only update pod status for pods with spec.nodeName set to itself"));
  }
  if (!same_labels(write.live, write.object)) {
    return write.refuse(node_text(write, " cannot update labels through pod status"));
  }
  if (!same_claims(write.live, write.object)) {
    return write.refuse(node_text(write, " cannot update resource claim statues"));
  }
  const std::string_view member = "extendedResourceClaimStatus";
  if (write.live["status"][member] != write.object["status"][member]) {
    return write.refuse(node_text(write, " cannot update extended resource claim status"));
  }
  return api::Done{};
}

// The pod of a delete or an eviction.
api::Outcome<bool> is_own(const NodeWrite& write) {
  auto pod = write.reader.get("", "pods", write.attributes.namespace_name, write.attributes.name);
  if (pod.empty()) return api::not_found_error("", "pods", write.attributes.name);
  return api::scan_string(pod.text(), {"spec", "nodeName"}).value_or("") == write.node;
}

struct VolumeWord {
  std::string_view member, named;
};
constexpr VolumeWord kVolumes[] = {
    {"configMap", "configmaps (via configmap volumes)"},
    {"secret", "secrets (via secret volumes)"},
    {"csi", "csidrivers (via CSI volumes)"},
    {"glusterfs", "endpoints (via glusterFS volumes)"},
    {"persistentVolumeClaim", "persistentvolumeclaims"},
    {"ephemeral", "persistentvolumeclaims (via ephemeral volumes)"},
    {"azureFile", "secrets (via azureFile volumes)"},
};
constexpr VolumeWord kProjections[] = {
    {"configMap", "configmaps (via projected volumes)"},
    {"secret", "secrets (via projected volumes)"},
    {"serviceAccountToken", "serviceaccounts (via projected volumes)"},
    {"clusterTrustBundle", "clustertrustbundles"},
    {"podCertificate", "podcertificates"},
};

std::string_view volume_reference(const Json& volume) {
  for (const auto& [member, named] : kVolumes) {
    if (volume.find(member) != nullptr) return named;
  }
  for (const auto& source : volume["projected"]["sources"].items()) {
    for (const auto& [member, named] : kProjections) {
      if (source.find(member) != nullptr) return named;
    }
  }
  return {};
}

}  // namespace

std::string_view api_reference_of(const Json& pod) {
  using Kind = api::PodReference;
  if (!pod["spec"]["serviceAccountName"].as_string().empty()) return "serviceaccounts";
  bool secrets = false;
  bool config_maps = false;
  api::visit_pod_references(pod, [&](Kind kind, std::string_view) {
    secrets = secrets || kind == Kind::secret;
    config_maps = config_maps || kind == Kind::config_map;
    return true;
  });
  if (secrets) return "secrets";
  if (config_maps) return "configmaps";
  if (!pod["spec"]["resourceClaims"].empty()) return "resourceclaims";
  for (const auto& volume : pod["spec"]["volumes"].items()) {
    if (auto named = volume_reference(volume); !named.empty()) return named;
  }
  return {};
}

api::Outcome<> restrict_pod(const NodeWrite& write) {
  const auto& a = write.attributes;
  if (a.subresource == "status") return check_status(write);
  if (a.subresource == "eviction") {
    SKIFF_TRY(const bool own, is_own(write));
    if (own) return api::Done{};
    return write.refuse(
        base::concat("node ", write.node, " can only evict pods with spec.nodeName set to itself"));
  }
  if (!a.subresource.empty()) {
    return write.refuse(base::concat("unexpected pod subresource ", base::quote(a.subresource),
                                     ", only 'status' and 'eviction' are allowed"));
  }
  if (a.operation == Operation::create) return check_create(write);
  if (a.operation == Operation::remove) {
    SKIFF_TRY(const bool own, is_own(write));
    if (own) return api::Done{};
    return write.refuse(node_text(write, " can only delete pods with spec.nodeName set to itself"));
  }
  return write.refuse(base::concat("unexpected operation ", base::quote(write.operation()),
                                   ", node ", base::quote(write.node),
                                   " can only create and delete mirror pods"));
}

}  // namespace skiff::admission
