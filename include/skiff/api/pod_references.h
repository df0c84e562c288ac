// The objects that a pod names, all of its own namespace: walked in one place for the node that
// reads them, the authorizer that lets it, and the admission that forbids them to mirror pods.
#pragma once

#include <skiff/codec/json.h>

#include <functional>
#include <string_view>

namespace skiff::api {

enum class PodReference : unsigned char {
  service_account,        // spec.serviceAccountName
  service_account_token,  // a projected token; without a name
  secret,
  config_map,
  claim,  // PersistentVolumeClaim, also one that is made for the pod
};

// Calls `visit` for each reference that is there, also one whose name is empty, until it returns
// false. A name lives as long as the call. Thread-safe.
void visit_pod_references(
    const codec::Json& pod,
    const std::function<bool(PodReference kind, std::string_view name)>& visit);

}  // namespace skiff::api
