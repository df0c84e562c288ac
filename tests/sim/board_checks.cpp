#include "sim/board_checks.h"

#include <skiff/base/strings.h>

#include <map>

namespace skiff::sim {

namespace resources = client::resources;

namespace {

// What the board was shown, against the store.
std::string compare_pods(SimCluster& cluster, SimBoard& board) {
  client::ListOptions options;
  options.field_selector = "spec.nodeName=" + board.name();
  std::map<std::string, api::StoredObject> wanted;
  for (auto& pod : cluster.list_stored(resources::pods, options))
    wanted.emplace(base::concat(pod.namespace_name(), '/', pod.name()), pod);
  for (const auto& [key, shown] : board.seen().shown_pods()) {
    auto found = wanted.find(key);
    if (found == wanted.end())
      return base::concat(board.name(), " still shows the pod ", shown.name());
    if (shown.revision() != found->second.revision())
      return base::concat(board.name(), " shows revision ", shown.revision(), " of the pod ",
                          shown.name(), ", which is at ", found->second.revision());
    if (shown.stored().view() != found->second.stored().view())
      return base::concat(board.name(), " shows other bytes of the pod ", shown.name());
    wanted.erase(found);
  }
  if (wanted.empty()) return {};
  return base::concat(board.name(), " does not show the pod ", wanted.begin()->first);
}

}  // namespace

namespace {

// Empty when it is forbidden, or nobody answers.
template <class T>
std::string refused(const SimBoard& board, const base::Result<T>& answer, std::string_view what) {
  if (answer.code() == base::Code::permission_denied) return {};
  if (answer.code() == base::Code::unavailable || answer.code() == base::Code::cancelled) return {};
  return base::concat(board.name(), " asked for ", what, " and got: ", answer.status().to_string());
}

}  // namespace

std::string find_open_door(SimCluster& cluster) {
  for (auto& board : cluster.boards()) {
    auto& client = board->client();
    auto& loop = cluster.loop();
    std::string found = refused(*board, loop.run(client.list(resources::secrets, {})), "Secrets");
    if (found.empty())
      found = refused(*board, loop.run(client.watch(resources::pods, {}, 1, {})), "all pods");
    for (const auto& pod : cluster.list_stored(resources::pods, {})) {
      auto node = api::scan_string(pod.text(), {"spec", "nodeName"});
      if (!found.empty() || node.value_or("") == board->name()) continue;
      auto getting =
          client.get(resources::pods, std::string(pod.namespace_name()), std::string(pod.name()));
      found = refused(*board, loop.run(std::move(getting)), "a pod of another node");
    }
    if (!found.empty()) return found;
  }
  return {};
}

std::string find_unsettled_board(SimCluster& cluster) {
  for (auto& board : cluster.boards()) {
    if (!board->refusal().is_ok())
      return base::concat(board->name(), " could not join: ", board->refusal().message());
    if (!board->has_joined()) return base::concat(board->name(), " has not joined");
    if (!board->is_connected()) return base::concat(board->name(), " is not connected");
    auto complaint = compare_pods(cluster, *board);
    if (complaint.empty()) complaint = compare_status(cluster, *board);
    if (!complaint.empty()) return complaint;
  }
  return {};
}

std::string find_board_violation(SimCluster& cluster) {
  if (!cluster.board_wire().violation.empty()) return cluster.board_wire().violation;
  if (!cluster.leases().violation().empty()) return cluster.leases().violation();
  return cluster.containers().violation();
}

std::string check_streams(SimCluster& cluster) {
  constexpr base::Duration kEndWithin = std::chrono::minutes(2);
  const auto broken = cluster.streams().broken();
  for (std::size_t i = 0; i < cluster.boards().size(); ++i) cluster.open_stream(i);
  cluster.advance(kEndWithin);
  if (cluster.streams().running() > 0) return "a stream to a board that is well does not end";
  if (cluster.streams().broken() > broken) return "a stream to a board that is well breaks off";
  return {};
}

std::string find_leftover(SimCluster& cluster) {
  // Its uplink, and one that it used for a renewal a moment ago.
  constexpr std::size_t kSocketsPerBoardMax = 2;
  for (auto& board : cluster.boards()) {
    const std::size_t count = cluster.network().sockets_of(board->address());
    if (count == 0 || count > kSocketsPerBoardMax)
      return base::concat(board->name(), " has ", count, " sockets");
  }
  const std::size_t count = cluster.network().sockets_of(cluster.master().address());
  if (count > kSocketsPerBoardMax * cluster.boards().size())
    return base::concat("the master has ", count, " sockets");
  return {};
}

}  // namespace skiff::sim
