// A whole cluster on one thread with virtual time: store, hub, API server, controllers, scheduler,
// and boards that have joined over a network in memory. Everything random comes from one seed.
#pragma once

#include <skiff/apiserver/apiserver.h>
#include <skiff/controllers/manager.h>
#include <skiff/scheduler/scheduler.h>
#include <skiff/watch/hub.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "apiserver/tunnel/node_link.h"
#include "sim/lease_watch.h"
#include "sim/node_checks.h"
#include "sim/sim_board.h"
#include "sim/sim_client.h"
#include "sim/sim_front.h"
#include "sim/sim_store.h"
#include "sim/sim_streams.h"
#include "support/sim_network.h"

namespace skiff::sim {

using ObjectRefs = std::vector<std::reference_wrapper<const codec::Json>>;

class SimCluster {
 public:
  SimCluster(std::uint64_t seed, int boards);
  ~SimCluster();

  test::SimLoop& loop() { return loop_; }
  base::Random& random() { return *random_; }
  // Without faults: what users and checkers use.
  client::Client& admin() { return *admin_; }
  Faults& faults() { return faults_; }
  Wire& wire() { return wire_; }
  Wire& board_wire() { return board_wire_; }
  SimStore& store() { return store_; }
  std::vector<std::unique_ptr<SimBoard>>& boards() { return boards_; }
  // Beside them, with storage of its own that is empty; the next call ends it.
  SimBoard& extra_board(const std::string& node_name);
  // Another board with what is on the storage of this one; likewise.
  SimBoard& copy_of(std::size_t number);
  test::SimNetwork& network() { return network_; }
  test::SimHost& master() { return master_; }
  SimFront& front() { return front_; }

  void restart_server();
  void restart_controllers();
  void restart_scheduler();
  void lose_watches(base::Code code);
  void stop_board(std::size_t number);
  // Its process is killed; its connections end, and what it runs goes on.
  void kill_board(std::size_t number);
  // Its power is lost: the master is not told, and nothing runs there any more.
  void crash_board(std::size_t number);
  void start_board(std::size_t number);
  // It is flashed, and started with a token for its name. REQUIRES: not running.
  void flash_board(std::size_t number);
  // Puts a token into the cluster, as `skiff token create` does, and returns its text.
  std::string make_token(auth::JoinTokenRecord limits);
  // Streams to boards: begins one to this board.
  SimStreams& streams() { return streams_; }
  void open_stream(std::size_t board);
  // Begins one that its board never stops writing to, and that nobody reads.
  void open_flood(std::size_t board);
  apiserver::TunnelLoad tunnel_load();
  // From the oldest revision on that a watch may begin at.
  std::size_t changes_kept();
  // Ends every fault and starts what is down.
  void heal();
  // Looks at Leases and containers as it goes.
  void advance(base::Duration time);
  const LeaseWatch& leases() const { return leases_; }
  const ContainerWatch& containers() const { return containers_; }
  // Good until the next call for the same resource.
  const ObjectRefs& list(client::Resource resource);
  std::vector<api::StoredObject> list_stored(client::Resource resource,
                                             client::ListOptions options);
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
  void make_boards(std::uint64_t seed, int count);
  void end_extra();

  test::SimLoop loop_;
  std::unique_ptr<base::Random> random_, system_random_, network_random_;
  test::SimNetwork network_;
  test::SimHost master_;
  Faults faults_, no_faults_;
  SimStore store_;
  Wire wire_, quiet_wire_, board_wire_;
  SimFront front_;
  std::string key_pem_;
  std::unique_ptr<watch::Hub> hub_;
  std::unique_ptr<apiserver::ApiServer> server_;
  std::unique_ptr<SimClient> admin_, controllers_client_, scheduler_client_;
  std::string folder_;  // of the boards' files
  std::vector<std::unique_ptr<SimBoard>> boards_;
  std::unique_ptr<SimBoard> extra_;
  std::uint64_t next_extra_ = 1;
  SimStreams streams_;
  LeaseWatch leases_;
  ContainerWatch containers_;
  // Checkers look often, and objects change seldom.
  struct Parsed {
    std::uint64_t revision = 0;
    codec::Json tree;
  };
  struct Listed {
    store::Revision revision = 0;  // of the store
    std::map<std::string, Parsed> objects;
    ObjectRefs refs;
  };
  std::map<std::string_view, Listed> listed_;
  std::unique_ptr<base::TaskScope> server_scope_, controllers_scope_, scheduler_scope_;
  std::unique_ptr<controllers::ControllerManager> manager_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;
};

}  // namespace skiff::sim
