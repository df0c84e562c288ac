// The API server: an http::Handler over the registry, and clients that skip only sockets and TLS.
#pragma once

#include <skiff/auth/auth.h>
#include <skiff/auth/service_account_token.h>
#include <skiff/base/async.h>
#include <skiff/base/clock.h>
#include <skiff/base/random.h>
#include <skiff/base/result.h>
#include <skiff/client/client.h>
#include <skiff/client/node_channel.h>
#include <skiff/http/server.h>
#include <skiff/pki/authority.h>
#include <skiff/store/store.h>
#include <skiff/watch/hub.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::apiserver {

// One line of /readyz?verbose. `check` is called on a worker and must not block.
struct HealthCheck {
  std::string name;
  std::function<base::Status()> check;
};

// All pointers outlive the server.
struct Options {
  base::Executor* workers = nullptr;  // runs slices of requests
  base::Timers* timers = nullptr;     // clock and deadlines
  base::Random* random = nullptr;
  store::Store* store = nullptr;
  watch::Hub* hub = nullptr;
  // Of the node in this process; null without one. Other nodes are reached by their connections.
  client::NodeChannel* node_channel = nullptr;
  std::string local_node_name;  // empty: node_channel is asked for every node that is not connected

  pki::ClusterTrust* trust = nullptr;     // null: nothing is signed, nobody joins
  std::vector<std::string> server_names;  // of this server's certificate: no node may have one

  std::string service_account_key_pem;                      // ECDSA P-256 private key
  std::vector<std::string> service_account_older_keys_pem;  // public; their tokens are still good
  std::string service_account_issuer = "https://kubernetes.default.svc.cluster.local";

  std::string cluster_cidr = "10.42.0.0/16";  // told to nodes that join
  std::string service_cidr = "10.43.0.0/16";
  std::uint16_t node_port_first = 30000, node_port_last = 32767;
  std::string cluster_dns = "10.43.0.10";
  std::string cluster_domain = "cluster.local";
  // Of this master at the moment, for default/kubernetes and discovery; thread-safe. Null, or an
  // empty answer: it has none.
  std::function<std::string()> advertise_address;
  std::uint16_t advertise_port = 6443;

  std::vector<HealthCheck> ready_checks;                 // beside ping and the store's health
  std::function<void(std::string& text)> extra_metrics;  // appended to /metrics
};

// Thread-safe.
class ApiServer {
 public:
  virtual ~ApiServer() = default;
  virtual http::Handler& handler() = 0;
  // Streams to every node that is connected, and to the local one.
  virtual client::NodeChannel& node_channel() = 0;
  // As `user`, through every filter. The client must not outlive the server.
  virtual std::unique_ptr<client::Client> loopback_client(auth::User user) = 0;
  virtual auth::ServiceAccountTokens& service_account_tokens() = 0;
  // The trust has others than before: connected nodes are told, so that they renew.
  virtual void tell_authorities_changed() = 0;
  // Makes what every cluster has (namespaces, default/kubernetes, kube-system/kube-dns) as it is to
  // be at the moment; writes nothing when it is so already. One call at a time.
  virtual base::Task<base::Status> ensure_bootstrap_objects() = 0;
  // Runs what needs time (events end after an hour) until cancelled.
  virtual base::Task<void> run(base::CancelToken cancel) = 0;
};
base::Result<std::unique_ptr<ApiServer>> make_apiserver(Options options);

}  // namespace skiff::apiserver
