// What a node makes at its first start: keys, certificates, the administrator's kubeconfig.
//
//   <data-dir>/pki/ca.crt, ca.key               the cluster's authority, ten years
//                  server.crt, server.key       of the API, made again when names change
//                  admin.crt, admin.key         of the kubeconfig (system:masters)
//                  service-account.key          signs the tokens of ServiceAccounts
//   <data-dir>/admin.kubeconfig
//
// Files are written whole and synced before they are used; keys have mode 0600.
#pragma once

#include <skiff/app/config.h>
#include <skiff/base/clock.h>
#include <skiff/base/result.h>
#include <skiff/pki/authority.h>

#include <memory>
#include <string>
#include <vector>

namespace skiff::app {

struct NodeIdentity {
  std::string name;  // of the node
  std::string ip;
};
// The names come from the configuration, else from the host. Errors: invalid_argument.
base::Result<NodeIdentity> find_identity(const Config& config);

struct ClusterKeys {
  std::shared_ptr<pki::ClusterTrust> trust;
  pki::KeyAndCertificate server;
  pki::KeyAndCertificate admin;
  std::string service_account_key_pem;
  std::vector<std::string> service_account_older_keys_pem;  // public
};
// The authority alone, made when there is none.
base::Result<pki::KeyAndCertificate> ensure_cluster_authority(const Config& config,
                                                              base::WallTime now);
// Reads the files, makes what is missing, and certificates anew that are past two thirds of their
// life or lack a name. Writes nothing when nothing is to be made.
base::Result<ClusterKeys> ensure_cluster_keys(const Config& config, const NodeIdentity& identity,
                                              base::WallTime now);

// Every name and address by which clients may call the API. Pure.
pki::Identity server_identity(const Config& config, const NodeIdentity& identity);

// The kubeconfig of the administrator. Pure.
std::string admin_kubeconfig(const ClusterKeys& keys, const std::string& server_url);
// Writes it to <data-dir>/admin.kubeconfig and, where the configuration says so, to one more file.
base::Status write_kubeconfig(const Config& config, const ClusterKeys& keys);

}  // namespace skiff::app
