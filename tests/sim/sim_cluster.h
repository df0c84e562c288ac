// A whole cluster on one thread with virtual time: store, hub, API server, controllers, scheduler,
// nodes. Everything random comes from one seed.
#pragma once

#include <skiff/apiserver/apiserver.h>
#include <skiff/controllers/manager.h>
#include <skiff/scheduler/scheduler.h>

#include <memory>
#include <string>
#include <vector>

#include "sim/fake_node.h"
#include "sim/sim_client.h"
#include "sim/sim_store.h"
#include "support/sim_loop.h"

namespace skiff::sim {

class SimCluster {
 public:
  SimCluster(std::uint64_t seed, int nodes);
  ~SimCluster();

  test::SimLoop& loop() { return loop_; }
  base::Random& random() { return *random_; }
  // Without faults: what users and checkers use.
  client::Client& admin() { return *admin_; }
  Faults& faults() { return faults_; }
  Wire& wire() { return wire_; }
  SimStore& store() { return store_; }
  std::vector<std::unique_ptr<FakeNode>>& nodes() { return nodes_; }
  SimClient& client_of_node(std::size_t number) { return *node_clients_[number]; }

  void restart_server();
  void restart_controllers();
  void restart_scheduler();
  void lose_watches(base::Code code);
  void stop_node(std::size_t number);
  void start_node(std::size_t number);
  // Ends every fault and starts what is down.
  void heal();
  void advance(base::Duration time) { loop_.advance(time); }
  std::vector<codec::Json> list(client::Resource resource);
  // Whether this user, who is in no group but the authenticated, may list pods of "default" now.
  bool may_list_pods(std::string user);

 private:
  void start_server();
  void stop_server();
  void start_controllers();
  void stop_controllers();
  void start_scheduler();
  void stop_scheduler();
  void connect_all();

  test::SimLoop loop_;
  std::unique_ptr<base::Random> random_, system_random_;
  Faults faults_, no_faults_;
  SimStore store_;
  Wire wire_, quiet_wire_;
  std::string key_pem_;
  std::unique_ptr<watch::Hub> hub_;
  std::unique_ptr<apiserver::ApiServer> server_;
  std::unique_ptr<SimClient> admin_, controllers_client_, scheduler_client_;
  std::vector<std::unique_ptr<SimClient>> node_clients_;
  std::vector<std::unique_ptr<FakeNode>> nodes_;
  std::vector<std::unique_ptr<base::Random>> node_randoms_;
  std::unique_ptr<base::TaskScope> server_scope_, controllers_scope_, scheduler_scope_;
  std::unique_ptr<controllers::ControllerManager> manager_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;
};

}  // namespace skiff::sim
