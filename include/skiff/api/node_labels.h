// Which labels a node may give itself.
#pragma once

#include <string_view>

namespace skiff::api {

// False below kubernetes.io and k8s.io but for what describes the node, and for
// node-restriction.kubernetes.io: pods are kept apart by these. Thread-safe.
bool may_node_label_itself(std::string_view label_key);

}  // namespace skiff::api
