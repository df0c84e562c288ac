#include "registry/durability.h"

#include <skiff/api/object.h>

namespace skiff::registry {

using codec::Json;
using store::Durability;

namespace {

bool always(const Json&, const Json&) { return true; }

bool is_update(const Json&, const Json& live) { return !live.is_null(); }

// Only the times that a holder refreshes differ: same holder, same kind of transition.
bool is_lease_renewal(const Json& object, const Json& live) {
  if (live.is_null()) return false;
  const Json& now = object["spec"];
  const Json& before = live["spec"];
  return now["holderIdentity"] == before["holderIdentity"] &&
         now["leaseTransitions"] == before["leaseTransitions"] &&
         now["leaseDurationSeconds"] == before["leaseDurationSeconds"] &&
         object["metadata"]["labels"] == live["metadata"]["labels"] &&
         object["metadata"]["annotations"] == live["metadata"]["annotations"] &&
         object["metadata"]["finalizers"] == live["metadata"]["finalizers"] &&
         object["metadata"]["deletionTimestamp"] == live["metadata"]["deletionTimestamp"];
}

// What the agent reports of a running pod; the end of a pod must survive.
bool is_non_terminal_pod(const Json& object, const Json& live) {
  if (live.is_null()) return false;
  auto phase = object["status"]["phase"].as_string();
  return phase != "Succeeded" && phase != "Failed";
}

// Made by our controllers from services and pods.
bool is_computed_endpoints(const Json& object, const Json& live) {
  if (live.is_null() || api::is_being_deleted(object)) return false;
  return !api::label(object, "endpointslice.kubernetes.io/managed-by").empty() ||
         !api::label(object, "endpoints.kubernetes.io/managed-by").empty();
}

struct Rule {
  std::string_view group, resource;
  std::string_view subresource;
  Durability durability;
  bool (*applies)(const Json& object, const Json& live);
};
constexpr Rule kRules[] = {
    {"", "nodes", "status", Durability::relaxed, is_update},
    {"", "pods", "status", Durability::relaxed, is_non_terminal_pod},
    {"discovery.k8s.io", "endpointslices", "", Durability::relaxed, is_computed_endpoints},
    {"", "endpoints", "", Durability::relaxed, is_computed_endpoints},
    {"coordination.k8s.io", "leases", "", Durability::volatile_, is_lease_renewal},
    {"", "events", "", Durability::volatile_, always},
};

}  // namespace

Durability durability_of_put(const api::ResourceInfo& resource, std::string_view subresource,
                             const Json& object, const Json& live) {
  for (const Rule& rule : kRules) {
    if (rule.group == resource.storage_group && rule.resource == resource.storage_resource &&
        rule.subresource == subresource && rule.applies(object, live)) {
      return rule.durability;
    }
  }
  return Durability::durable;
}

Durability durability_of_remove(const api::ResourceInfo& resource) {
  const bool is_event = resource.storage_group.empty() && resource.storage_resource == "events";
  return is_event ? Durability::volatile_ : Durability::durable;
}

}  // namespace skiff::registry
