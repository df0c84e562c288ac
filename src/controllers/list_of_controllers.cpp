#include "controllers/list_of_controllers.h"

namespace skiff::controllers {

std::vector<std::unique_ptr<Controller>> list_of_controllers(Context& context,
                                                             const ManagerOptions& options,
                                                             const NodeCidrRange& cidrs) {
  std::vector<std::unique_ptr<Controller>> list;
  list.push_back(make_deployment_controller(context));
  list.push_back(make_replicaset_controller(context));
  list.push_back(make_endpoint_slice_controller(context));
  list.push_back(make_endpoints_controller(context));
  list.push_back(make_slice_mirroring_controller(context));
  list.push_back(make_namespace_controller(context));
  list.push_back(make_aggregation_controller(context));
  list.push_back(make_service_account_controller(context));
  const RootCa root_ca =
      options.trust != nullptr ? RootCa(*options.trust) : RootCa(options.root_ca_pem);
  list.push_back(make_root_ca_controller(context, root_ca));
  if (options.sign_secret_token) {
    list.push_back(make_token_secrets_controller(context, root_ca, options.sign_secret_token));
  }
  list.push_back(make_token_cleaner(context));
  list.push_back(make_garbage_collector(context));
  list.push_back(make_node_ipam_controller(context, cidrs));
  list.push_back(make_node_lifecycle_controller(context));
  list.push_back(make_taint_eviction_controller(context));
  list.push_back(make_pod_garbage_controller(context, options.terminated_pods_max));
  list.push_back(make_approver_controller(context, options.master_names));
  if (options.trust != nullptr) list.push_back(make_signer_controller(context, *options.trust));
  list.push_back(make_cleaner_controller(context));
  return list;
}

}  // namespace skiff::controllers
