// The master's parts: store, hub, API server and its HTTPS front.
#pragma once

#include <skiff/apiserver/apiserver.h>
#include <skiff/store/store.h>
#include <skiff/watch/hub.h>

#include "app/front.h"
#include "app/master_identity.h"
#include "app/memory_trimmer.h"
#include "app/threads.h"

#include <memory>

namespace skiff::app {

// Built and stopped on the main thread around the io loop's run(); parts run on their own threads.
class Master {
 public:
  // `node_channel` may be null; it and the identity outlive the master.
  static base::Result<std::unique_ptr<Master>> open(const Config& config,
                                                    const MasterIdentity& identity,
                                                    const ClusterKeys& keys, Threads& threads,
                                                    client::NodeChannel* node_channel);
  ~Master();

  const std::shared_ptr<http::TlsContext>& tls() const { return tls_; }
  apiserver::ApiServer& api() { return *api_; }
  // Makes what every cluster has and begins to listen. On the io loop.
  base::Task<base::Status> start();
  // The front trusts others than before: who came with a certificate of an authority that was taken
  // away is let go, nodes are told. On the io loop.
  void follow_trust();
  // On the io loop; afterwards nothing runs any more.
  base::Task<void> stop();
  // Writes what is in memory only. After stop().
  base::Status close();

 private:
  class Environment;
  Master(const Config& config, Threads& threads);

  const Config& config_;
  Threads& threads_;
  std::unique_ptr<Environment> environment_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<watch::Hub> hub_;
  std::unique_ptr<apiserver::ApiServer> api_;
  std::shared_ptr<http::TlsContext> tls_;
  MemoryTrimmer trimmer_;
  std::unique_ptr<Front> front_;
  base::TaskScope background_;
};

}  // namespace skiff::app
