// The controllers of a cluster, run together on one executor.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/executor.h>
#include <skiff/base/random.h>
#include <skiff/base/result.h>
#include <skiff/client/client.h>
#include <skiff/pki/authority.h>

#include <functional>
#include <memory>
#include <string>

namespace skiff::controllers {

// A Secret of type kubernetes.io/service-account-token and whom it speaks for.
struct TokenSecret {
  std::string namespace_name, name, service_account, service_account_uid;
};
using SignSecretToken = std::function<base::Result<std::string>(const TokenSecret& secret)>;

// All references outlive the manager.
struct ManagerOptions {
  client::Client* client = nullptr;
  base::Executor* executor = nullptr;  // the control loop
  base::Timers* timers = nullptr;      // of the same loop
  base::Random* random = nullptr;
  // Signs CertificateSigningRequests, and says what stands in the ConfigMap kube-root-ca.crt of
  // every namespace and in Secrets with tokens; null: nobody signs, `root_ca_pem` stands there.
  const pki::ClusterTrust* trust = nullptr;
  // What no node may have in its serving certificate, at the moment; null: there is none.
  std::function<pki::Identity()> master_names;
  std::string root_ca_pem;
  std::string cluster_cidr;           // "10.42.0.0/16": every node gets a /24 of it
  SignSecretToken sign_secret_token;  // empty: such Secrets are left alone
  int terminated_pods_max = 12'500;   // kube-controller-manager's --terminated-pod-gc-threshold
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
