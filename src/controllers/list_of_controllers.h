// Every controller of the manager, and the one place that lists them.
#pragma once

#include <skiff/controllers/manager.h>

#include <memory>
#include <vector>

#include "controllers/common/controller.h"
#include "controllers/nodes/node_cidr.h"
#include "controllers/service_accounts/root_ca.h"

namespace skiff::controllers {

std::unique_ptr<Controller> make_deployment_controller(Context& context);
std::unique_ptr<Controller> make_replicaset_controller(Context& context);
std::unique_ptr<Controller> make_endpoint_slice_controller(Context& context);
std::unique_ptr<Controller> make_endpoints_controller(Context& context);
std::unique_ptr<Controller> make_slice_mirroring_controller(Context& context);
std::unique_ptr<Controller> make_namespace_controller(Context& context);
std::unique_ptr<Controller> make_aggregation_controller(Context& context);
std::unique_ptr<Controller> make_service_account_controller(Context& context);
std::unique_ptr<Controller> make_root_ca_controller(Context& context, RootCa root_ca);
std::unique_ptr<Controller> make_token_secrets_controller(Context& context, RootCa root_ca,
                                                          SignSecretToken sign);
std::unique_ptr<Controller> make_token_cleaner(Context& context);
std::unique_ptr<Controller> make_garbage_collector(Context& context);
std::unique_ptr<Controller> make_node_ipam_controller(Context& context, const NodeCidrRange& range);
std::unique_ptr<Controller> make_node_lifecycle_controller(Context& context);
std::unique_ptr<Controller> make_taint_eviction_controller(Context& context);
std::unique_ptr<Controller> make_approver_controller(Context& context,
                                                     std::function<pki::Identity()> master_names);
std::unique_ptr<Controller> make_signer_controller(Context& context,
                                                   const pki::ClusterTrust& trust);
std::unique_ptr<Controller> make_cleaner_controller(Context& context);
std::unique_ptr<Controller> make_pod_garbage_controller(Context& context, int terminated_pods_max);

std::vector<std::unique_ptr<Controller>> list_of_controllers(Context& context,
                                                             const ManagerOptions& options,
                                                             const NodeCidrRange& cidrs);

}  // namespace skiff::controllers
