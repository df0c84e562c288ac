// A board: joins with a token over the simulated network, keeps its uplink and its certificates as
// a worker does, and runs the agent of a node over containers in memory.
#pragma once

#include <skiff/client/uplink.h>

#include <memory>
#include <optional>
#include <string>

#include "app/join.h"
#include "sim/board_node.h"
#include "sim/sim_client.h"
#include "support/fake_node.h"
#include "support/sim_network.h"

namespace skiff::app {
class CredentialKeeper;
}

namespace skiff::sim {

struct BoardOptions {
  std::string node_name, address;
  std::string folder;  // of this board alone; outlives its processes
  std::uint64_t seed = 0;
};

// Loop-only.
class SimBoard {
 public:
  SimBoard(test::SimLoop& loop, test::SimNetwork& network, Wire& wire, BoardOptions options);
  ~SimBoard();

  const std::string& name() const { return options_.node_name; }
  const std::string& address() const { return options_.address; }
  const std::string& data_dir() const { return config_.data_dir; }
  test::SimHost& machine() { return machine_; }
  BoardHost& host() { return host_; }
  // What it is started with; of the next attempt to join.
  void set_token(std::string token, bool replace = false);

  // It is flashed. REQUIRES: not running.
  void forget() { host_.wipe(); }
  // The process starts, and again some seconds after it has ended, as systemd does.
  void start();
  // In order; what the node runs goes on.
  base::Task<void> stop();
  // As SIGKILL: nothing more is said, written or done.
  base::Task<void> kill();
  bool is_running() const { return scope_ != nullptr; }
  // When the process was started last.
  base::MonotonicTime started_at() const { return started_at_; }

  // Of the last attempt: ok while it joins or has joined, else the master's refusal.
  const base::Status& refusal() const { return refusal_; }
  bool has_joined() const { return uplink_ != nullptr; }
  bool is_connected() const { return uplink_ != nullptr && uplink_->is_connected(); }
  // REQUIRES: has_joined().
  const app::JoinedNode& credentials() const;
  // What the agent has seen of the cluster.
  const SimClient& seen() const { return client_; }
  // What waits in its uplink. REQUIRES: has_joined().
  client::UplinkLoad load() const { return uplink_->load(); }
  // With the rights of the node. REQUIRES: has_joined().
  client::Client& client() { return uplink_->client(); }
  // Streams that masters open here: echo, flood, sink and the rest.
  test::FakeNode& streams() { return streams_; }

 private:
  base::Task<void> run();
  base::Task<void> work(app::JoinedNode joined);
  base::Task<void> run_node(base::CancelToken cancel);
  void open_uplink(const app::JoinedNode& joined);

  test::SimLoop& loop_;
  const BoardOptions options_;
  test::SimHost machine_;
  std::unique_ptr<base::Random> random_;
  BoardHost host_;
  app::Config config_;
  test::FakeNode streams_;
  SimClient client_;
  std::unique_ptr<BoardNode> node_;
  std::unique_ptr<base::TaskScope> scope_;
  std::shared_ptr<http::TlsContext> tls_;
  std::unique_ptr<client::Uplink> uplink_;
  std::unique_ptr<app::CredentialKeeper> keeper_;
  base::Status refusal_;
  base::MonotonicTime started_at_;
  bool is_killed_ = false;
};

}  // namespace skiff::sim
