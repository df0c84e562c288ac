#include "sim/scenarios.h"

#include <skiff/base/strings.h>

#include <set>

#include "sim/workload.h"

namespace skiff::sim {

using namespace std::chrono_literals;
namespace resources = client::resources;

namespace {

constexpr base::Duration kSettleMax = 10min;
constexpr base::Duration kDay = 24h;
// The last heartbeat that was still on its way, the grace, and the controller's own way.
constexpr base::Duration kLostWithin = 100s;

std::set<std::string> pod_uids(SimCluster& cluster) {
  std::set<std::string> uids;
  for (const auto& pod : cluster.list_stored(resources::pods, {})) uids.emplace(pod.uid());
  return uids;
}

std::string settled(SimCluster& cluster, std::string_view when) {
  auto complaint = wait_settled(cluster, kSettleMax);
  return complaint.empty() ? complaint : base::concat(when, ": ", complaint);
}

// All clocks, as when everything slept.
void jump_all(SimCluster& cluster, base::Duration by) {
  cluster.master().jump_wall_clock(by);
  for (auto& board : cluster.boards()) board->machine().jump_wall_clock(by);
  cluster.front().renew();
}

void restart_boards(SimCluster& cluster) {
  for (std::size_t i = 0; i < cluster.boards().size(); ++i) cluster.stop_board(i);
  for (std::size_t i = 0; i < cluster.boards().size(); ++i) cluster.start_board(i);
}

// Waits until the board was refused; what it was refused with.
base::Status wait_refused(SimCluster& cluster, const SimBoard& board) {
  for (base::Duration waited{}; waited < kSettleMax && board.refusal().is_ok(); waited += 1s)
    cluster.advance(1s);
  return board.refusal();
}

bool wait_connected(SimCluster& cluster, const SimBoard& board) {
  for (base::Duration waited{}; waited < kSettleMax && !board.is_connected(); waited += 1s)
    cluster.advance(1s);
  return board.is_connected();
}

std::string expect_refused(SimCluster& cluster, SimBoard& board, base::Code code,
                           std::string_view with) {
  board.start();
  const auto refused = wait_refused(cluster, board);
  cluster.loop().run(board.stop());
  if (refused.code() == code) return {};
  return base::concat("a board with ", with, " got: ", refused.to_string());
}

void label_pods(SimCluster& cluster, const std::string& node) {
  client::ListOptions options;
  options.field_selector = "spec.nodeName=" + node;
  codec::Json change = codec::Json::object();
  change["metadata"]["labels"].set("seen", "late");
  for (const auto& pod : cluster.list_stored(resources::pods, options)) {
    auto patching =
        cluster.admin().patch(resources::pods, std::string(pod.namespace_name()),
                              std::string(pod.name()), client::PatchType::merge, change, "");
    (void)cluster.loop().run(std::move(patching));
  }
}

// So many revisions that nodes are told how far they are, though nothing of it is theirs.
void write_much(SimCluster& cluster) {
  constexpr int kWrites = 600;
  codec::Json object = codec::Json::object({{"apiVersion", "v1"}, {"kind", "ConfigMap"}});
  object["metadata"].set("name", "counter");
  object["metadata"].set("namespace", "default");
  auto& admin = cluster.admin();
  auto creating = admin.create(resources::config_maps, "default", object, "", "");
  (void)cluster.loop().run(std::move(creating));
  for (int i = 0; i < kWrites; ++i) {
    object["data"].set("count", std::to_string(i));
    auto updating = admin.update(resources::config_maps, object, "");
    SKIFF_ASSERT(cluster.loop().run(std::move(updating)).is_ok());
  }
  cluster.advance(65s);
}

void forget_node(SimCluster& cluster, const std::string& name) {
  (void)cluster.loop().run(cluster.admin().remove(resources::nodes, "", name, {}));
}

}  // namespace

std::string check_clock_jumps(SimCluster& cluster) {
  const auto before = pod_uids(cluster);
  for (base::Duration by : {base::Duration(6h), base::Duration(-20h), base::Duration(90 * kDay)}) {
    cluster.master().jump_wall_clock(by);
    cluster.advance(90s);
    for (auto& board : cluster.boards()) {
      board->machine().jump_wall_clock(by);
      cluster.advance(up_to(cluster.random(), 90s));
    }
    auto complaint = settled(cluster, "after a jump of the clocks");
    if (!complaint.empty()) return complaint;
  }
  if (pod_uids(cluster) != before) return "a jump of the clocks has evicted pods";
  return {};
}

std::string check_silence(SimCluster& cluster) {
  base::Random& random = cluster.random();
  const std::size_t quiet = random.below(cluster.boards().size());
  SimBoard& board = *cluster.boards()[quiet];
  write_much(cluster);
  const auto before = pod_uids(cluster);
  cluster.open_stream(quiet);
  cluster.advance(up_to(random, 1s));
  const auto ways = random.below(3);
  cluster.network().set_stalled(board.address(), ways != 1, ways != 0);
  // What happens to its pods meanwhile comes first when it is back.
  label_pods(cluster, board.name());
  const base::Duration silence = 1min + up_to(random, 3min);
  cluster.advance(silence);
  for (const codec::Json& node : cluster.list(resources::nodes)) {
    const bool is_lost = api::find_condition(node, "Ready")["status"].as_string() == "Unknown";
    if (api::name_of(node) != board.name() && is_lost)
      return base::concat(api::name_of(node), " was lost while another was silent");
    if (api::name_of(node) == board.name() && !is_lost && silence > kLostWithin)
      return base::concat(board.name(), " is silent for ", silence / 1s, " s and not lost");
  }
  cluster.network().set_stalled(board.address(), false, false);
  auto complaint = wait_boards(cluster, 3min);
  if (!complaint.empty()) return base::concat("three minutes after a silence: ", complaint);
  complaint = settled(cluster, "after a silence");
  if (!complaint.empty()) return complaint;
  if (pod_uids(cluster) != before) return "a silence of minutes has evicted pods";
  return {};
}

std::string check_years(SimCluster& cluster) {
  base::Random& random = cluster.random();
  // Two thirds of a year, and a little: the boards renew soon after they were started.
  std::vector<std::string> certificates;
  for (auto& board : cluster.boards()) certificates.push_back(board->credentials().certificate_pem);
  jump_all(cluster, 250 * kDay);
  restart_boards(cluster);
  cluster.advance(3min);
  auto complaint = settled(cluster, "after 250 days");
  if (!complaint.empty()) return complaint;
  for (std::size_t i = 0; i < certificates.size(); ++i)
    if (cluster.boards()[i]->credentials().certificate_pem == certificates[i])
      return base::concat(cluster.boards()[i]->name(), " has not renewed its certificates");

  // One board is off while the authority rolls, and until after its certificates.
  const std::size_t away = random.below(cluster.boards().size());
  cluster.crash_board(away);
  // One that rolled before is still on its way.
  if (!cluster.front().is_rolling()) (void)cluster.front().roll();
  for (int i = 0; i < 4; ++i) {
    jump_all(cluster, 100 * kDay);
    for (std::size_t b = 0; b < cluster.boards().size(); ++b) {
      if (b == away) continue;
      cluster.stop_board(b);
      cluster.start_board(b);
    }
    cluster.advance(2min);
  }
  cluster.start_board(away);
  complaint = settled(cluster, "a board that was off for 400 days");
  if (!complaint.empty()) return complaint;
  cluster.advance(2min);
  cluster.front().end_overlap();
  restart_boards(cluster);
  return settled(cluster, "after a roll of the authority");
}

std::string check_long_outage(SimCluster& cluster) {
  // Some are asleep meanwhile: what they had planned to do at a moment comes later.
  for (auto& board : cluster.boards()) cluster.network().set_cut(board->address(), true);
  jump_all(cluster, 400 * kDay);
  cluster.advance(13h);
  for (auto& board : cluster.boards()) cluster.network().set_cut(board->address(), false);
  auto complaint = wait_boards(cluster, 5min);
  if (!complaint.empty()) return base::concat("five minutes after a year: ", complaint);
  return settled(cluster, "after a year without a master");
}

std::string check_tokens(SimCluster& cluster) {
  base::Random& random = cluster.random();
  const std::string name = "node-extra";
  const auto now = cluster.master().clock().now();
  SimBoard& board = cluster.extra_board(name);
  auth::JoinTokenRecord expired, for_other, used_up, ends_soon, once;
  expired.expires = now - 1s;
  board.set_token(cluster.make_token(expired));
  auto complaint = expect_refused(cluster, board, base::Code::permission_denied, "an old token");
  if (!complaint.empty()) return complaint;
  for_other.node_name = "node-other";
  board.set_token(cluster.make_token(for_other));
  complaint =
      expect_refused(cluster, board, base::Code::permission_denied, "a token for another name");
  if (!complaint.empty()) return complaint;
  used_up.uses_left = 0;
  board.set_token(cluster.make_token(used_up));
  complaint = expect_refused(cluster, board, base::Code::permission_denied, "a token used up");
  if (!complaint.empty()) return complaint;
  // The token ends between the board's first question and its second.
  ends_soon.expires = now + 20min;
  board.set_token(cluster.make_token(ends_soon));
  board.start();
  cluster.advance(up_to(random, 200ms));
  cluster.network().set_stalled(board.address(), true, true);
  cluster.master().jump_wall_clock(1h);
  cluster.advance(up_to(random, 10s));
  cluster.network().set_stalled(board.address(), false, false);
  // It may have been asked before: then it has joined.
  for (base::Duration w{}; w < 2min && board.refusal().is_ok() && !board.is_connected(); w += 1s)
    cluster.advance(1s);
  if (!board.is_connected() && board.refusal().code() != base::Code::permission_denied)
    return base::concat("a board whose token ends meanwhile got: ", board.refusal().to_string());
  cluster.loop().run(board.stop());
  // One use is enough, however often the answer is lost.
  once.uses_left = 1;
  once.node_name = name;
  board.set_token(cluster.make_token(once));
  board.start();
  for (int i = 0; i < 4; ++i) {
    cluster.advance(up_to(random, 300ms));
    cluster.network().break_connections(board.address(), test::SimNetwork::Ends::both);
  }
  if (!wait_connected(cluster, board))
    return base::concat("a board with a good token got: ", board.refusal().to_string());
  cluster.loop().run(board.stop());
  forget_node(cluster, name);
  return settled(cluster, "after a board has gone");
}

std::string check_second_board(SimCluster& cluster) {
  const std::size_t victim = cluster.random().below(cluster.boards().size());
  const std::string name = cluster.boards()[victim]->name();
  SimBoard& stranger = cluster.extra_board(name);
  stranger.set_token(cluster.make_token({}));
  auto complaint =
      expect_refused(cluster, stranger, base::Code::already_exists, "a name of another");
  if (!complaint.empty()) return complaint;
  complaint = settled(cluster, "after a second board was refused");
  if (!complaint.empty()) return complaint;

  // The same files on another board: both are the node, and the first is whole when it is alone.
  const auto before = pod_uids(cluster);
  SimBoard& copy = cluster.copy_of(victim);
  copy.start();
  cluster.advance(90s);
  cluster.loop().run(copy.stop());
  complaint = settled(cluster, "after a copy of a board");
  if (!complaint.empty()) return complaint;
  if (pod_uids(cluster) != before) return "a copy of a board has evicted pods";

  // The second takes the first one's place; then the first one takes it back.
  SimBoard& second = cluster.extra_board(name);
  auth::JoinTokenRecord for_it;
  for_it.node_name = name;
  second.set_token(cluster.make_token(for_it), true);
  second.start();
  if (!wait_connected(cluster, second))
    return base::concat("a board that replaces another got: ", second.refusal().to_string());
  cluster.advance(1min);
  if (cluster.boards()[victim]->is_connected()) return "a board that was replaced is connected";
  cluster.loop().run(second.stop());
  cluster.stop_board(victim);
  SimBoard& third = *cluster.boards()[victim];
  third.forget();
  third.set_token(cluster.make_token(for_it), true);
  cluster.start_board(victim);
  return settled(cluster, "after a board was replaced");
}

}  // namespace skiff::sim
