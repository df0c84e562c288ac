#include "sim/node_checks.h"

#include <skiff/base/strings.h>

#include <set>

#include "sim/sim_cluster.h"

namespace skiff::sim {

using codec::Json;
using runtime::ContainerState;
namespace resources = client::resources;
using namespace std::chrono_literals;

namespace {

// From the end of its grace: what calls of the runtime and two looks at it may take. Graces are
// no shorter than two seconds.
constexpr base::Duration kGoneAfterGrace = 10s;
constexpr base::Duration kLookEvery = 6s, kLookPause = 1s;
constexpr std::string_view kIdPrefix = "skiff://";

bool is_over(const Json& pod) {
  const auto phase = pod["status"]["phase"].as_string();
  return phase == "Succeeded" || phase == "Failed";
}

base::Duration deletion_grace(const api::StoredObject& pod) {
  auto tree = pod.parse();
  SKIFF_ASSERT(tree.is_ok());
  return std::chrono::seconds(
      std::as_const(*tree).at({"metadata", "deletionGracePeriodSeconds"}).as_int());
}

std::string compare_container(const SimBoard& board, const Json& pod, const Json& status) {
  const auto& containers = const_cast<SimBoard&>(board).host().runtime().containers();
  const auto what = base::concat(board.name(), ": container ", status["name"].as_string(),
                                 " of pod ", api::name_of(pod));
  std::string_view id = status["containerID"].as_string();
  if (base::starts_with(id, kIdPrefix)) id.remove_prefix(kIdPrefix.size());
  auto found = containers.find(std::string(id));
  const bool runs = found != containers.end() && found->second.state == ContainerState::running;
  const bool is_shown_running = !status["state"]["running"].is_null();
  if (runs != is_shown_running)
    return base::concat(what, runs ? " runs" : " does not run", ", the API says ",
                        codec::write_json(status["state"]));
  if (runs && found->second.attempt != status["restartCount"].as_int())
    return base::concat(what, " is run ", found->second.attempt, ", the API says ",
                        status["restartCount"].as_int());
  return {};
}

std::string compare_pod(SimBoard& board, const Json& pod) {
  for (const char* list : {"initContainerStatuses", "containerStatuses"})
    for (const Json& status : pod["status"][list].items()) {
      auto complaint = compare_container(board, pod, status);
      if (!complaint.empty()) return complaint;
    }
  const auto& addresses = board.host().addresses();
  auto link = addresses.find(std::string(api::uid_of(pod)));
  const std::string address = link == addresses.end() ? std::string() : link->second;
  if (!is_over(pod) && pod["status"]["podIP"].as_string() != address)
    return base::concat(board.name(), ": pod ", api::name_of(pod), " has the address ", address,
                        ", the API says ", pod["status"]["podIP"].as_string());
  return {};
}

}  // namespace

std::string compare_status(SimCluster& cluster, SimBoard& board) {
  std::set<std::string> wanted;
  for (const Json& pod : cluster.list(resources::pods)) {
    if (pod.at({"spec", "nodeName"}).as_string() != board.name()) continue;
    auto complaint = compare_pod(board, pod);
    if (!complaint.empty()) return complaint;
    if (!is_over(pod)) wanted.emplace(api::uid_of(pod));
  }
  for (const auto& [id, container] : board.host().runtime().containers())
    if (wanted.count(container.pod_uid) == 0)
      return base::concat(board.name(), " has the container ", container.name, " of pod ",
                          container.pod_uid, ", which is not to run here");
  for (const auto& [uid, address] : board.host().addresses())
    if (wanted.count(uid) == 0)
      return base::concat(board.name(), " has the address ", address, " of pod ", uid,
                          ", which is not to run here");
  return {};
}

void ContainerWatch::look_at(SimBoard& board, base::MonotonicTime now) {
  std::map<std::string, const api::StoredObject*> shown;
  for (const auto& entry : board.seen().shown_pods())
    shown.emplace(entry.second.uid(), &entry.second);
  for (const auto& [id, container] : board.host().runtime().containers()) {
    const auto key = std::pair(board.name(), container.pod_uid);
    base::Duration grace{};
    auto pod = shown.find(container.pod_uid);
    if (pod != shown.end()) {
      if (!api::scan_string(pod->second->text(), {"metadata", "deletionTimestamp"})) {
        unwanted_since_.erase(key);
        continue;
      }
      grace = deletion_grace(*pod->second);
    }
    if (container.state != ContainerState::running) continue;
    // A process that starts has all the grace again.
    auto since = unwanted_since_.try_emplace(key, now).first->second;
    since = std::max({since, board.started_at(), excused_at_[board.name()]});
    if (now - since > std::max(grace, base::Duration(2s)) + kGoneAfterGrace)
      violation_ = base::concat(board.name(), ": container ", container.name, " of pod ",
                                container.pod_uid, " runs on ", (now - since) / 1s,
                                " s after its pod was deleted, with ", grace / 1s, " s of grace");
  }
}

void ContainerWatch::look(SimCluster& cluster) {
  const auto now = cluster.loop().monotonic();
  if (!violation_.empty() || now - looked_at_ < kLookPause) return;
  // Who has not looked for a while does not know since when a pod is to end.
  if (now - looked_at_ > kLookEvery) unwanted_since_.clear();
  looked_at_ = now;
  for (auto& board : cluster.boards()) {
    // Who is refused what it asks for cannot be held to a time.
    if (board->host().calls_fail()) excused_at_[board->name()] = now;
    if (board->is_running() && board->seen().has_shown_pods()) look_at(*board, now);
  }
}

}  // namespace skiff::sim
