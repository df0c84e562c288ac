// The agent of one process on a board: the real one, over the containers of a BoardHost.
#pragma once

#include <skiff/agent/agent.h>
#include <skiff/client/recorder.h>

#include <memory>
#include <string>

#include "sim/board_host.h"
#include "support/sim_loop.h"

namespace skiff::sim {

// What blocks takes a while, as on a pool of threads. Loop-only.
class BusyExecutor final : public base::Executor {
 public:
  BusyExecutor(base::Timers& timers, base::Random& random, base::Duration most)
      : timers_(timers), random_(random), most_(most) {}
  void post(base::Job job) override { timers_.start_timer(up_to(random_, most_), std::move(job)); }

 private:
  base::Timers& timers_;
  base::Random& random_;
  const base::Duration most_;
};

// Loop-only. The references outlive it.
class BoardNode {
 public:
  struct Options {
    test::SimLoop& loop;
    test::SimHost& machine;  // timers, and its own clock
    BoardHost& host;
    base::Random& random;
    client::Client& client;
    std::string name, address;
  };
  explicit BoardNode(Options options);
  // Once. Returns when cancelled; what runs goes on.
  base::Task<base::Status> run(base::CancelToken cancel);
  client::NodeChannel& channel() { return agent_->node_channel(); }

 private:
  static agent::AgentOptions agent_options(const Options& options, BoardNode& self);

  BusyExecutor work_, pulls_;
  std::unique_ptr<client::EventRecorder> recorder_;
  std::unique_ptr<agent::Agent> agent_;
};

}  // namespace skiff::sim
