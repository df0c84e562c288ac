#include "sim/sim_cluster.h"

#include <skiff/base/strings.h>
#include <skiff/pki/certificate.h>
#include <skiff/pki/token.h>
#include <skiff/watch/hub.h>

#include "apiserver/tunnel/tunnels.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace skiff::sim {

using namespace std::chrono_literals;

namespace {
constexpr base::Duration kLatencyMin = 1ms, kLatencyMax = 60ms;
// Sessions of connections that are closed come to their end, whatever the disk still takes.
constexpr base::Duration kSessionsEnd = 1s;
}  // namespace

SimCluster::SimCluster(std::uint64_t seed, int boards)
    : random_(base::seeded_random(seed)),
      system_random_(base::seeded_random(seed ^ 0x5eed)),
      network_random_(base::seeded_random(seed ^ 0x7c9)),
      network_(loop_, *network_random_),
      master_(loop_, network_, kMasterAddress),
      store_(loop_, loop_, *random_, faults_),
      wire_{*random_, faults_, store_},
      quiet_wire_{*random_, no_faults_, store_},
      board_wire_{*random_, no_faults_, store_},
      front_(master_),
      streams_(loop_, *random_) {
  network_.set_latency(kLatencyMin, kLatencyMax);
  auto key = pki::make_private_key();
  SKIFF_ASSERT(key.is_ok());
  key_pem_ = *key;
  admin_ = std::make_unique<SimClient>(quiet_wire_);
  controllers_client_ = std::make_unique<SimClient>(wire_);
  scheduler_client_ = std::make_unique<SimClient>(wire_);
  start_server();
  start_controllers();
  start_scheduler();
  make_boards(seed, boards);
}

void SimCluster::make_boards(std::uint64_t seed, int count) {
  folder_ = (std::filesystem::temp_directory_path() / "skiff-sim-XXXXXX").string();
  SKIFF_ASSERT(mkdtemp(folder_.data()) != nullptr);
  for (int i = 0; i < count; ++i) {
    BoardOptions options;
    options.node_name = base::concat("node-", i);
    options.address = base::concat("192.168.0.", i + 10);
    options.folder = base::concat(folder_, "/board-", i);
    options.seed = seed * 1000 + static_cast<std::uint64_t>(i);
    boards_.push_back(std::make_unique<SimBoard>(loop_, network_, board_wire_, std::move(options)));
    boards_.back()->set_token(make_token({}));
    boards_.back()->start();
  }
}

void SimCluster::end_extra() {
  if (extra_ && extra_->is_running()) loop_.run(extra_->stop());
  extra_.reset();
}

SimBoard& SimCluster::extra_board(const std::string& node_name) {
  end_extra();
  const std::uint64_t number = next_extra_++;
  BoardOptions options;
  options.node_name = node_name;
  options.address = base::concat("192.168.1.", number);
  options.folder = base::concat(folder_, "/extra-", number);
  options.seed = random_->next();
  extra_ = std::make_unique<SimBoard>(loop_, network_, board_wire_, std::move(options));
  return *extra_;
}

SimBoard& SimCluster::copy_of(std::size_t number) {
  SimBoard& copy = extra_board(boards_[number]->name());
  std::filesystem::create_directories(copy.data_dir());
  std::filesystem::copy(boards_[number]->data_dir(), copy.data_dir(),
                        std::filesystem::copy_options::recursive);
  return copy;
}

void SimCluster::open_stream(std::size_t board) {
  streams_.open(server_->node_channel(), boards_[board]->name());
}

void SimCluster::open_flood(std::size_t board) {
  streams_.flood(server_->node_channel(), boards_[board]->name());
}

apiserver::TunnelLoad SimCluster::tunnel_load() {
  return dynamic_cast<apiserver::Tunnels&>(server_->node_channel()).load();
}

std::size_t SimCluster::changes_kept() {
  const auto& log = store_.published();
  auto first = std::upper_bound(log.begin(), log.end(), hub_->oldest(),
                                [](auto revision, const auto& e) { return revision < e.revision; });
  return static_cast<std::size_t>(log.end() - first);
}

std::string SimCluster::make_token(auth::JoinTokenRecord limits) {
  const Faults faults = std::exchange(faults_, Faults());
  const auth::JoinToken token = front_.make_token(*random_);
  limits.id = token.id;
  limits.secret_sha256 = pki::sha256_hex(token.secret);
  auto creating = admin_->create(client::resources::secrets, std::string(auth::kJoinTokenNamespace),
                                 auth::join_token_secret(limits), "", "");
  auto created = loop_.run(std::move(creating));
  SKIFF_ASSERT(created.is_ok());
  faults_ = faults;
  return auth::format_join_token(token);
}

SimCluster::~SimCluster() {
  faults_ = Faults();
  network_.heal();
  end_extra();
  for (std::size_t i = 0; i < boards_.size(); ++i) stop_board(i);
  stop_scheduler();
  stop_controllers();
  stop_server();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void SimCluster::start_server() {
  auto hub = watch::make_hub(store_, {}, nullptr);
  SKIFF_ASSERT(hub.is_ok());
  hub_ = std::move(*hub);
  apiserver::Options options;
  options.workers = &loop_;
  options.timers = &master_;
  options.random = system_random_.get();
  options.trust = &front_.trust();
  options.server_names = {std::string(client::kMasterName)};
  options.store = &store_;
  options.hub = hub_.get();
  options.service_account_key_pem = key_pem_;
  options.advertise_address = [] { return std::string(kMasterAddress); };
  auto server = apiserver::make_apiserver(std::move(options));
  SKIFF_ASSERT(server.is_ok());
  server_ = std::move(*server);
  Faults faults = std::exchange(faults_, Faults());
  base::Status made = loop_.run(server_->ensure_bootstrap_objects());
  faults_ = faults;
  SKIFF_ASSERT(made.is_ok());
  server_scope_ = std::make_unique<base::TaskScope>(loop_);
  server_scope_->spawn(server_->run(server_scope_->token()));
  front_.serve(server_->handler(), loop_);
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
}

// As a crash looks to clients: watches end, connections break, or go without a word. What is inside
// is let out first, because the memory of this process goes on.
void SimCluster::stop_server() {
  std::vector<SimClient*> clients = {admin_.get(), controllers_client_.get(),
                                     scheduler_client_.get()};
  for (SimClient* client : clients) client->disconnect();
  while (wire_.in_use + quiet_wire_.in_use > 0) SKIFF_ASSERT(loop_.step());
  network_.break_connections(kMasterAddress, random_->below(2) == 0
                                                 ? test::SimNetwork::Ends::both
                                                 : test::SimNetwork::Ends::host_only);
  loop_.run(front_.stop());
  loop_.advance(kSessionsEnd);
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
  leases_.note_restart(loop_.monotonic());
}

void SimCluster::start_controllers() {
  controllers::ManagerOptions options;
  options.client = controllers_client_.get();
  options.executor = &loop_;
  options.timers = &master_;
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
  options.timers = &master_;
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
}

void SimCluster::stop_board(std::size_t number) {
  if (boards_[number]->is_running()) loop_.run(boards_[number]->stop());
}

void SimCluster::kill_board(std::size_t number) {
  SimBoard& board = *boards_[number];
  if (!board.is_running()) return;
  network_.break_connections(board.address(), test::SimNetwork::Ends::both);
  loop_.run(board.kill());
}

void SimCluster::crash_board(std::size_t number) {
  SimBoard& board = *boards_[number];
  network_.break_connections(board.address(), test::SimNetwork::Ends::host_only);
  board.host().lose_power();
  if (board.is_running()) loop_.run(board.kill());
}

void SimCluster::flash_board(std::size_t number) {
  SimBoard& board = *boards_[number];
  board.forget();
  auth::JoinTokenRecord for_it;
  for_it.node_name = board.name();
  board.set_token(make_token(for_it), true);
  board.start();
}

void SimCluster::start_board(std::size_t number) {
  if (!boards_[number]->is_running()) boards_[number]->start();
}

void SimCluster::heal() {
  faults_ = Faults();
  network_.heal();
  for (auto& board : boards_) board->host().heal();
  for (std::size_t i = 0; i < boards_.size(); ++i) start_board(i);
}

void SimCluster::advance(base::Duration time) {
  constexpr base::Duration kStep = 5s;
  for (; time > kStep; time -= kStep) {
    loop_.advance(kStep);
    leases_.look(*this);
    containers_.look(*this);
  }
  loop_.advance(time);
  leases_.look(*this);
  containers_.look(*this);
}

std::vector<api::StoredObject> SimCluster::list_stored(client::Resource resource,
                                                       client::ListOptions options) {
  auto listed = loop_.run(admin_->list(resource, std::move(options)));
  SKIFF_ASSERT(listed.is_ok());
  return std::move(listed->items);
}

const ObjectRefs& SimCluster::list(client::Resource resource) {
  Listed& listed = listed_[resource.resource];
  const auto now = store_.published().empty() ? 0 : store_.published().back().revision;
  if (listed.revision == now && now != 0) return listed.refs;
  std::map<std::string, Parsed> before = std::exchange(listed.objects, {});
  listed.refs.clear();
  listed.revision = now;
  for (const auto& item : list_stored(resource, {})) {
    std::string key = base::concat(item.namespace_name(), '/', item.name());
    auto known = before.find(key);
    Parsed& parsed = listed.objects[key];
    if (known != before.end() && known->second.revision == item.revision()) {
      parsed = std::move(known->second);
    } else {
      auto tree = item.parse();
      SKIFF_ASSERT(tree.is_ok());
      parsed = {item.revision(), std::move(*tree)};
    }
    listed.refs.emplace_back(parsed.tree);
  }
  return listed.refs;
}

}  // namespace skiff::sim
