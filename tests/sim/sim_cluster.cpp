#include "sim/sim_cluster.h"

#include <skiff/base/strings.h>
#include <skiff/pki/certificate.h>
#include <skiff/watch/hub.h>

namespace skiff::sim {

using namespace std::chrono_literals;

SimCluster::SimCluster(std::uint64_t seed, int nodes)
    : random_(base::seeded_random(seed)),
      system_random_(base::seeded_random(seed ^ 0x5eed)),
      store_(loop_, loop_, *random_, faults_),
      wire_{*random_, faults_, store_},
      quiet_wire_{*random_, no_faults_, store_} {
  auto key = pki::make_private_key();
  SKIFF_ASSERT(key.is_ok());
  key_pem_ = *key;
  admin_ = std::make_unique<SimClient>(quiet_wire_);
  controllers_client_ = std::make_unique<SimClient>(wire_);
  scheduler_client_ = std::make_unique<SimClient>(wire_);
  for (int i = 0; i < nodes; ++i) {
    node_clients_.push_back(std::make_unique<SimClient>(wire_));
    node_randoms_.push_back(base::seeded_random(seed * 1000 + static_cast<std::uint64_t>(i)));
    nodes_.push_back(std::make_unique<FakeNode>(*node_clients_.back(), loop_, loop_,
                                                *node_randoms_.back(), base::concat("node-", i),
                                                base::concat("192.168.0.", i + 10)));
  }
  start_server();
  start_controllers();
  start_scheduler();
  for (auto& node : nodes_) node->start();
}

SimCluster::~SimCluster() {
  faults_ = Faults();
  for (std::size_t i = 0; i < nodes_.size(); ++i) stop_node(i);
  stop_scheduler();
  stop_controllers();
  stop_server();
}

void SimCluster::start_server() {
  auto hub = watch::make_hub(store_, {}, nullptr);
  SKIFF_ASSERT(hub.is_ok());
  hub_ = std::move(*hub);
  apiserver::Options options;
  options.workers = &loop_;
  options.timers = &loop_;
  options.random = system_random_.get();
  options.store = &store_;
  options.hub = hub_.get();
  options.service_account_key_pem = key_pem_;
  options.advertise_address = [] { return std::string("192.168.0.1"); };
  auto server = apiserver::make_apiserver(std::move(options));
  SKIFF_ASSERT(server.is_ok());
  server_ = std::move(*server);
  Faults faults = std::exchange(faults_, Faults());
  base::Status made = loop_.run(server_->ensure_bootstrap_objects());
  faults_ = faults;
  SKIFF_ASSERT(made.is_ok());
  server_scope_ = std::make_unique<base::TaskScope>(loop_);
  server_scope_->spawn(server_->run(server_scope_->token()));
  connect_all();
}

bool SimCluster::may_list_pods(std::string user) {
  auto visitor =
      server_->loopback_client({std::move(user), {}, {std::string(auth::kAuthenticatedGroup)}, {}});
  client::ListOptions options;
  options.namespace_name = "default";
  auto listing = visitor->list(client::resources::pods, options);
  return loop_.run(std::move(listing)).is_ok();
}

void SimCluster::connect_all() {
  admin_->connect(server_->loopback_client(auth::admin_user()));
  controllers_client_->connect(
      server_->loopback_client(auth::control_user("system:kube-controller-manager")));
  scheduler_client_->connect(server_->loopback_client(auth::control_user("system:kube-scheduler")));
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    node_clients_[i]->connect(server_->loopback_client(auth::node_user(nodes_[i]->name())));
}

// As a crash looks to clients: watches end, new calls are refused. What is inside is let out first,
// because the memory of this process goes on.
void SimCluster::stop_server() {
  std::vector<SimClient*> clients = {admin_.get(), controllers_client_.get(),
                                     scheduler_client_.get()};
  for (auto& client : node_clients_) clients.push_back(client.get());
  for (SimClient* client : clients) client->disconnect();
  while (wire_.in_use + quiet_wire_.in_use > 0) SKIFF_ASSERT(loop_.step());
  loop_.run_ready();
  server_scope_->cancel();
  loop_.run(server_scope_->join());
  server_scope_.reset();
  for (SimClient* client : clients) client->connect(nullptr);
  server_.reset();
  hub_.reset();
}

void SimCluster::restart_server() {
  stop_server();
  loop_.advance(up_to(*random_, 3s));
  start_server();
}

void SimCluster::start_controllers() {
  controllers::ManagerOptions options;
  options.client = controllers_client_.get();
  options.executor = &loop_;
  options.timers = &loop_;
  options.random = system_random_.get();
  options.root_ca_pem = "-----BEGIN CERTIFICATE-----";
  options.cluster_cidr = "10.42.0.0/16";
  auto manager = controllers::make_controller_manager(options);
  SKIFF_ASSERT(manager.is_ok());
  manager_ = std::move(*manager);
  controllers_scope_ = std::make_unique<base::TaskScope>(loop_);
  controllers_scope_->spawn(manager_->run(controllers_scope_->token()));
}

void SimCluster::stop_controllers() {
  controllers_scope_->cancel();
  loop_.run(controllers_scope_->join());
  controllers_scope_.reset();
  manager_.reset();
}

void SimCluster::restart_controllers() {
  stop_controllers();
  loop_.advance(up_to(*random_, 2s));
  start_controllers();
}

void SimCluster::start_scheduler() {
  scheduler::SchedulerOptions options;
  options.client = scheduler_client_.get();
  options.executor = &loop_;
  options.timers = &loop_;
  options.random = system_random_.get();
  scheduler_ = scheduler::make_scheduler(options);
  scheduler_scope_ = std::make_unique<base::TaskScope>(loop_);
  scheduler_scope_->spawn(scheduler_->run(scheduler_scope_->token()));
}

void SimCluster::stop_scheduler() {
  scheduler_scope_->cancel();
  loop_.run(scheduler_scope_->join());
  scheduler_scope_.reset();
  scheduler_.reset();
}

void SimCluster::restart_scheduler() {
  stop_scheduler();
  loop_.advance(up_to(*random_, 2s));
  start_scheduler();
}

void SimCluster::lose_watches(base::Code code) {
  controllers_client_->lose_watches(code);
  scheduler_client_->lose_watches(code);
  for (auto& client : node_clients_) client->lose_watches(code);
}

void SimCluster::stop_node(std::size_t number) {
  if (nodes_[number]->is_running()) loop_.run(nodes_[number]->stop());
}

void SimCluster::start_node(std::size_t number) {
  if (!nodes_[number]->is_running()) nodes_[number]->start();
}

void SimCluster::heal() {
  faults_ = Faults();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    node_clients_[i]->set_cut(false);
    start_node(i);
  }
}

std::vector<codec::Json> SimCluster::list(client::Resource resource) {
  client::ListOptions options;
  auto listed = loop_.run(admin_->list(resource, options));
  SKIFF_ASSERT(listed.is_ok());
  std::vector<codec::Json> objects;
  for (const auto& item : listed->items) {
    auto tree = item.parse();
    SKIFF_ASSERT(tree.is_ok());
    objects.push_back(std::move(*tree));
  }
  return objects;
}

}  // namespace skiff::sim
