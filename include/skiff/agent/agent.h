// The node agent: runs the pods that are bound to this node, reports their state and the node's,
// and answers the API server's streams (logs, exec, attach, port-forward).
#pragma once

#include <skiff/agent/host_facts.h>
#include <skiff/base/clock.h>
#include <skiff/base/executor.h>
#include <skiff/base/random.h>
#include <skiff/base/result.h>
#include <skiff/base/task.h>
#include <skiff/client/client.h>
#include <skiff/client/informer.h>
#include <skiff/client/node_channel.h>
#include <skiff/client/recorder.h>
#include <skiff/http/client.h>
#include <skiff/loop/loop.h>
#include <skiff/net/packet_rules.h>
#include <skiff/net/pod_network.h>
#include <skiff/runtime/image.h>
#include <skiff/runtime/runtime.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace skiff::agent {

// The references outlive the agent.
struct AgentOptions {
  // The agent's own loop: everything but blocking calls runs there. `executor` and `timers` are
  // that loop (a SimLoop in tests); `loop` is the same object where descriptors can be watched,
  // null in the simulator (then there are no streams and no network probes).
  base::Executor* executor = nullptr;
  base::Timers* timers = nullptr;
  loop::Loop* loop = nullptr;
  base::Executor* work = nullptr;   // blocking calls: runtime, network, files
  base::Executor* pulls = nullptr;  // image pulls, which take long; may be `work`
  client::Client* client = nullptr;
  runtime::Runtime* runtime = nullptr;
  runtime::ImageService* images = nullptr;
  // Makes the pod network once the node has its podCIDR; without a function pods that are not on
  // the host's network fail with FailedCreatePodSandBox.
  std::function<base::Result<std::unique_ptr<net::PodNetwork>>(const std::string& pod_cidr)>
      make_network;
  // What the host is and has; called on `work`. Empty: asked of the kernel.
  std::function<HostFacts()> host_facts;
  client::EventRecorder* recorder = nullptr;
  http::AsyncClient* http = nullptr;  // probes and hooks; null as `loop`
  base::Random* random = nullptr;

  std::string node_name, node_ip;
  std::string data_dir, runtime_dir;
  std::string cgroup_parent = "skiff";
  std::vector<std::string> cluster_dns;
  std::string cluster_domain = "cluster.local";
  // The second where the first names nothing but a resolver on this host, which pods do not reach.
  std::string host_resolv_conf = "/etc/resolv.conf",
              host_resolved_conf = "/run/systemd/resolve/resolv.conf";
  std::string host_hosts = "/etc/hosts";

  std::vector<std::pair<std::string, std::string>> node_labels;
  std::vector<codec::Json> node_taints;  // {"key","value","effect"}: only at registration
  bool master_renews_lease = false;      // on the node's connection; the agent then does not
  std::int64_t pods_max = 110;
  std::int64_t log_bytes_max = 10 << 20;
  int log_files_max = 5;
  std::string version;          // "v1.36.0+skiff.1"
  std::string runtime_version;  // "skiff://0.1.0"
};

// Loop-only, except node_channel().
class Agent {
 public:
  virtual ~Agent() = default;
  // Adopts what runs, registers the node and works until cancelled; then stops in order and
  // leaves the containers running. Errors: the runtime's, when it cannot be used at all.
  virtual base::Task<base::Status> run(base::CancelToken cancel) = 0;
  // Streams to this node. Thread-safe; usable while run() runs, unavailable otherwise.
  virtual client::NodeChannel& node_channel() = 0;
  // Shared with the service proxy and DNS: services of all namespaces.
  virtual client::Informer& services() = 0;
  // Called on the loop before a pod's containers get their SIGTERM, so that the local service
  // rules can drop it first; the returned task is awaited. Set before run().
  virtual void set_before_stop(std::function<base::Task<void>(std::string pod_uid)> hook) = 0;
  // Called on the loop with the packet rules of a pod's hostPorts when it gets its address, and
  // with none when it loses it. Set before run().
  virtual void set_host_ports_callback(
      std::function<void(std::string pod_uid, std::vector<net::ServiceRule> rules)> callback) = 0;
  // Called on the loop with the node's podCIDR once it is known. Set before run().
  virtual void set_pod_cidr_callback(std::function<void(std::string pod_cidr)> callback) = 0;
  // The host has another address now: goes into the status of the node and of its pods. On the
  // loop, while run() runs.
  virtual void set_node_ip(std::string ip) = 0;
};

std::unique_ptr<Agent> make_agent(AgentOptions options);

}  // namespace skiff::agent
