// The ConfigMap kube-root-ca.crt of every namespace, where the cluster's authority may roll.
#pragma once

#include <skiff/pki/authority.h>

#include "controllers/common/controller.h"

namespace skiff::controllers {

// As make_root_ca_controller, with what `trust` says at the moment.
std::unique_ptr<Controller> make_trust_publisher(Context& context, const pki::ClusterTrust& trust);

}  // namespace skiff::controllers
