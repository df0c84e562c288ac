// A node without containers: registers itself, keeps its Lease, starts and ends pods after a while.
#pragma once

#include <skiff/client/client.h>
#include <skiff/client/informer.h>
#include <skiff/client/work_queue.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/faults.h"

namespace skiff::sim {

struct NodeHost {
  base::Timers& timers;  // with the host's clock
  std::string name, address;
  bool renews_lease = true;  // false: the master does, on the node's connection
};

// Loop-only. Pods survive its stop() and start(), as containers survive the agent's.
class FakeNode {
 public:
  FakeNode(client::Client& client, base::Executor& executor, base::Random& random, NodeHost host);
  ~FakeNode();
  void start();
  // The agent ends; what runs goes on.
  base::Task<void> stop();
  bool is_running() const { return scope_ != nullptr; }
  const std::string& name() const { return name_; }
  // The pods that its watch shows, in order of their keys. REQUIRES: running.
  std::vector<api::StoredObject> mirror() const { return pods_->list(); }
  // A pod that is not this node's and that it was shown, the first; else empty.
  const std::string& violation() const { return violation_; }

 private:
  base::Task<void> register_node();
  base::Task<void> heartbeat();
  base::Task<void> work();
  base::Task<base::Status> sync(std::string key);
  void look_at(const api::StoredObject& pod);
  base::Task<base::Status> renew_lease();
  base::Task<base::Status> report_ready();
  codec::Json ready_status(const codec::Json& pod, const std::string& address) const;

  client::Client& client_;
  base::Executor& executor_;
  base::Timers& timers_;
  base::Random& random_;
  const std::string name_, address_;
  const bool renews_lease_;
  std::unique_ptr<base::TaskScope> scope_;
  std::unique_ptr<client::Informer> pods_;
  std::unique_ptr<client::WorkQueue> queue_;
  std::map<std::string, base::MonotonicTime> ready_at_, ended_at_;  // by uid
  std::map<std::string, std::string> pod_addresses_;                // by uid
  int next_address_ = 2;
  std::string violation_;
};

}  // namespace skiff::sim
