// How a board becomes a node of a cluster, and stays one: the worker's side of joining.
//
//   <data-dir>/pki/node.key          the node's identity; made here, never leaves
//                  node.crt          client certificate for system:node:<name>, chain
//                  node-serving.crt  serving certificate for the same key
//                  node-ca.crt       the authorities of the cluster
//   <data-dir>/node/cluster.json     name of the node and settings of the cluster
#pragma once

#include <skiff/app/config.h>
#include <skiff/base/async.h>
#include <skiff/base/random.h>
#include <skiff/base/result.h>
#include <skiff/base/task.h>
#include <skiff/http/tls.h>
#include <skiff/loop/loop.h>

#include <memory>
#include <string>

namespace skiff::app {

// What the master tells a node that joins; the worker's own settings of these names are not used.
struct ClusterSettings {
  std::string cluster_cidr, service_cidr, cluster_dns, cluster_domain;
};

struct JoinedNode {
  std::string name;  // under which the cluster knows the node
  std::string ca_pem;
  std::string certificate_pem, serving_certificate_pem, key_pem;
  ClusterSettings cluster;
};

// What is on disk when it is good; else joins with the token, or comes back by its known key. Tries
// the masters in turn, with back-off, until one answers or `cancel`. On the io loop. Errors are
// final and say what to do: permission_denied (token wrong, expired, used up, unknown),
// already_exists (the name belongs to another key), unauthenticated (a master with another CA),
// invalid_argument (no token, no server).
base::Task<base::Result<JoinedNode>> ensure_joined(const Config& config, loop::Loop& loop,
                                                   base::Random& random, base::CancelToken cancel);

// Asks each master once for new certificates, by the key of a node that has joined: for one whose
// certificates have ended, or have in the eyes of a master, so that it can say nothing with them.
base::Task<base::Result<JoinedNode>> join_again(const Config& config, loop::Loop& loop,
                                                base::Random& random, const JoinedNode& node,
                                                base::CancelToken cancel);

// The token names an authority that a node who knows these does not: its cluster has given up the
// one that the node joined under, and somebody lets it in again.
bool names_another_authority(const Config& config, const std::string& known_ca_pem);
// Asks each master once to let a node in again by that token. Errors as those of ensure_joined().
base::Task<base::Result<JoinedNode>> join_by_new_token(const Config& config, loop::Loop& loop,
                                                       base::Random& random, const JoinedNode& node,
                                                       base::CancelToken cancel);

// Renews the certificates when two thirds of their life are over, and the trust when the cluster's
// CA rolls, of which `told` is notified when a master says so; joins again when they have ended.
// Writes the files and replaces what `tls` has. Until cancelled; on the io loop.
base::Task<void> keep_credentials(const Config& config, loop::Loop& loop, JoinedNode node,
                                  std::shared_ptr<http::TlsContext> tls, base::Notifier& told,
                                  base::CancelToken cancel);

}  // namespace skiff::app
