#include "sim/board_node.h"

namespace skiff::sim {

using namespace std::chrono_literals;

namespace {
constexpr base::Duration kCallMax = 60ms;
constexpr base::Duration kPullMax = 3s;
constexpr char kVersion[] = "v1.36.0+sim";
}  // namespace

BoardNode::BoardNode(Options options)
    : work_(options.machine, options.random, kCallMax),
      pulls_(options.machine, options.random, kPullMax),
      recorder_(client::make_recorder(options.client, options.loop, options.machine, "kubelet",
                                      options.name)),
      agent_(agent::make_agent(agent_options(options, *this))) {}

agent::AgentOptions BoardNode::agent_options(const Options& options, BoardNode& self) {
  agent::AgentOptions agent;
  agent.executor = &options.loop;
  agent.timers = &options.machine;
  agent.work = &self.work_;
  agent.pulls = &self.pulls_;
  agent.client = &options.client;
  agent.runtime = &options.host.runtime();
  agent.images = &options.host.images();
  agent.make_network = [&host = options.host](const std::string& pod_cidr) {
    return base::Result<std::unique_ptr<net::PodNetwork>>(host.open_network(pod_cidr));
  };
  agent.host_facts = [] { return BoardHost::facts(); };
  agent.recorder = self.recorder_.get();
  agent.random = &options.random;
  agent.node_name = options.name;
  agent.node_ip = options.address;
  agent.master_renews_lease = true;
  agent.data_dir = options.host.data_dir();
  agent.runtime_dir = options.host.runtime_dir();
  agent.host_resolv_conf = agent.host_hosts = "/dev/null";
  agent.version = kVersion;
  agent.runtime_version = "skiff://sim";
  return agent;
}

base::Task<base::Status> BoardNode::run(base::CancelToken cancel) {
  auto running = agent_->run(std::move(cancel));
  co_return co_await std::move(running);
}

}  // namespace skiff::sim
