// The worker's parts: images, runtime, pod network, agent.
#pragma once

#include <skiff/agent/agent.h>
#include <skiff/client/client.h>

#include "app/bootstrap.h"
#include "app/service_network.h"
#include "app/threads.h"

#include <memory>

namespace skiff::app {

// What is otherwise for a worker that is not in its master's process.
struct MasterApart {
  bool renews_lease = false;             // on the node's connection (client/uplink)
  std::function<void()> on_new_address;  // on the agent loop
};

// Made on the main thread; runs on the agent loop.
class Worker {
 public:
  // Everything given by reference outlives the worker.
  static base::Result<std::unique_ptr<Worker>> open(const Config& config,
                                                    const NodeIdentity& identity, Threads& threads,
                                                    client::Client& client, MasterApart apart);
  client::NodeChannel& node_channel() { return agent_->node_channel(); }
  // On the agent loop, until cancelled; leaves containers running.
  base::Task<base::Status> run(base::CancelToken cancel);

 private:
  base::Task<base::Status> prepare_host() const;
  // The address of this board follows the kernel (DHCP).
  base::Task<void> follow_address(base::CancelToken cancel);
  base::Task<void> use_address();

  Worker(const Config& config, const NodeIdentity& identity, Threads& threads,
         client::Client& client)
      : config_(config),
        node_ip_(identity.ip),
        threads_(threads),
        client_(client),
        services_(config, identity, threads, client) {}

  const Config& config_;
  std::string node_ip_;
  std::function<void()> on_new_address_;
  Threads& threads_;
  client::Client& client_;
  ServiceNetwork services_;
  std::unique_ptr<client::EventRecorder> recorder_;
  std::unique_ptr<http::AsyncClient> http_;
  std::unique_ptr<runtime::ImageService> images_;
  std::unique_ptr<runtime::Runtime> runtime_;
  std::unique_ptr<agent::Agent> agent_;
};

}  // namespace skiff::app
