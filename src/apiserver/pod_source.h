// Pods as the hub has them, for the node authorizer.
#pragma once

#include <skiff/auth/nodes.h>
#include <skiff/watch/hub.h>

#include <memory>

namespace skiff::apiserver {

// The hub outlives it.
std::unique_ptr<auth::PodSource> make_pod_source(watch::Hub& hub);

}  // namespace skiff::apiserver
