// The controllers of a cluster, run together on one executor.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/executor.h>
#include <skiff/base/random.h>
#include <skiff/client/client.h>
#include <skiff/pki/authority.h>

#include <memory>
#include <string>

namespace skiff::controllers {

// All references outlive the manager.
struct ManagerOptions {
  client::Client* client = nullptr;
  base::Executor* executor = nullptr;  // the control loop
  base::Timers* timers = nullptr;      // of the same loop
  base::Random* random = nullptr;
  const pki::ClusterTrust* trust = nullptr;  // signs CertificateSigningRequests; null: nobody does
  pki::Identity master_names;                // what no node may have in its serving certificate
  std::string root_ca_pem;           // for the ConfigMap kube-root-ca.crt of every namespace
  std::string cluster_cidr;          // "10.42.0.0/16": every node gets a /24 of it
  int terminated_pods_max = 12'500;  // kube-controller-manager's --terminated-pod-gc-threshold
};

// Loop-only: runs on the executor of its options.
class ControllerManager {
 public:
  virtual ~ControllerManager() = default;
  // Runs every controller until cancelled; returns when all of them have ended. Called once.
  virtual base::Task<void> run(base::CancelToken cancel) = 0;
};
// Errors: invalid_argument for a cluster CIDR that is none or smaller than a /24.
base::Result<std::unique_ptr<ControllerManager>> make_controller_manager(ManagerOptions options);

}  // namespace skiff::controllers
