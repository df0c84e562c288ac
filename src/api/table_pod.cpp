#include <skiff/base/strings.h>

#include <optional>

#include "api/table_format.h"

namespace skiff::api {

namespace {

using codec::Json;

// What the statuses of the containers add up to.
struct Summary {
  std::string reason;
  std::int64_t restarts = 0;
  std::optional<base::WallTime> last_restart;
  std::size_t ready = 0, total = 0;
};

const Json& condition_of(const Json& pod, std::string_view type) {
  static const Json none;
  for (const Json& condition : pod.at({"status", "conditions"}).items())
    if (condition["type"].as_string() == type) return condition;
  return none;
}

bool is_sidecar(const Json& pod, std::string_view name) {
  for (const Json& container : pod.at({"spec", "initContainers"}).items())
    if (container["name"].as_string() == name)
      return container["restartPolicy"].as_string() == "Always";
  return false;
}

void note_restarts(const Json& status, std::int64_t& restarts,
                   std::optional<base::WallTime>& last_restart) {
  restarts += status["restartCount"].as_int();
  const Json& finished = status.at({"lastState", "terminated", "finishedAt"});
  if (!finished.is_string()) return;
  auto time = base::parse_rfc3339(finished.as_string());
  if (time && (!last_restart || *last_restart < *time)) last_restart = *time;
}

std::string end_reason(const Json& terminated) {
  const std::string_view reason = terminated["reason"].as_string();
  if (!reason.empty()) return std::string(reason);
  if (terminated["signal"].as_int() != 0)
    return base::concat("Signal:", terminated["signal"].as_int());
  return base::concat("ExitCode:", terminated["exitCode"].as_int());
}

// Returns whether an init container is still to end. `out.restarts` counts all of them up to it;
// the two references those of sidecars alone.
bool add_init_containers(const Json& pod, Summary& out, std::int64_t& sidecar_restarts,
                         std::optional<base::WallTime>& sidecar_restart) {
  std::size_t index = 0;
  for (const Json& status : pod.at({"status", "initContainerStatuses"}).items()) {
    const std::size_t position = index++;
    note_restarts(status, out.restarts, out.last_restart);
    const bool sidecar = is_sidecar(pod, status["name"].as_string());
    if (sidecar) note_restarts(status, sidecar_restarts, sidecar_restart);
    const Json& terminated = status.at({"state", "terminated"});
    if (terminated.is_object() && terminated["exitCode"].as_int() == 0) continue;
    if (sidecar && status["started"].as_bool()) {
      if (status["ready"].as_bool()) ++out.ready;
      continue;
    }
    const std::string_view waiting = status.at({"state", "waiting", "reason"}).as_string();
    if (terminated.is_object())
      out.reason = base::concat("Init:", end_reason(terminated));
    else if (!waiting.empty() && waiting != "PodInitializing")
      out.reason = base::concat("Init:", waiting);
    else
      out.reason =
          base::concat("Init:", position, "/", pod.at({"spec", "initContainers"}).items().size());
    return true;
  }
  return false;
}

void add_containers(const Json& pod, Summary& out) {
  bool running = false;
  const auto& statuses = pod.at({"status", "containerStatuses"}).items();
  for (auto status = statuses.rbegin(); status != statuses.rend(); ++status) {
    note_restarts(*status, out.restarts, out.last_restart);
    const Json& state = (*status)["state"];
    const std::string_view waiting = state.at({"waiting", "reason"}).as_string();
    if (!waiting.empty()) {
      out.reason = waiting;
    } else if (state["terminated"].is_object()) {
      out.reason = end_reason(state["terminated"]);
    } else if ((*status)["ready"].as_bool() && state["running"].is_object()) {
      running = true;
      ++out.ready;
    }
  }
  if (out.reason != "Completed" || !running) return;
  const bool ready = condition_of(pod, "Ready")["status"].as_string() == "True";
  out.reason = ready ? "Running" : "NotReady";
}

Summary summarize(const Json& pod) {
  Summary out;
  const Json& status = pod["status"];
  out.reason = status["reason"].as_string(status["phase"].as_string());
  if (condition_of(pod, "PodScheduled")["reason"].as_string() == "SchedulingGated")
    out.reason = "SchedulingGated";
  out.total = pod.at({"spec", "containers"}).items().size();
  for (const Json& container : pod.at({"spec", "initContainers"}).items())
    if (container["restartPolicy"].as_string() == "Always") ++out.total;

  std::int64_t sidecar_restarts = 0;
  std::optional<base::WallTime> sidecar_restart;
  const bool initializing = add_init_containers(pod, out, sidecar_restarts, sidecar_restart);
  if (!initializing || condition_of(pod, "Initialized")["status"].as_string() == "True") {
    out.restarts = sidecar_restarts;
    out.last_restart = sidecar_restart;
    add_containers(pod, out);
  }
  if (pod.at({"metadata", "deletionTimestamp"}).is_string()) {
    const std::string_view phase = status["phase"].as_string();
    if (status["reason"].as_string() == "NodeLost")
      out.reason = "Unknown";
    else if (phase != "Succeeded" && phase != "Failed")
      out.reason = "Terminating";
  }
  return out;
}

std::string readiness_gates(const Json& pod) {
  const auto& gates = pod.at({"spec", "readinessGates"}).items();
  if (gates.empty()) return "<none>";
  std::size_t held = 0;
  for (const Json& gate : gates)
    if (condition_of(pod, gate["conditionType"].as_string())["status"].as_string() == "True")
      ++held;
  return base::concat(held, "/", gates.size());
}

}  // namespace

Json pod_cells(const Json& pod, base::WallTime now) {
  const Summary summary = summarize(pod);
  std::string restarts = base::concat(summary.restarts);
  if (summary.restarts != 0 && summary.last_restart)
    restarts += base::concat(" (", human_duration(now - *summary.last_restart), " ago)");
  const auto& addresses = pod.at({"status", "podIPs"}).items();
  const std::string_view address =
      addresses.empty() ? std::string_view() : addresses.front()["ip"].as_string();
  return Json::array(
      {pod.at({"metadata", "name"}).as_string(), base::concat(summary.ready, "/", summary.total),
       summary.reason, restarts, age_since(pod.at({"metadata", "creationTimestamp"}), now),
       or_none(address), or_none(pod.at({"spec", "nodeName"}).as_string()),
       or_none(pod.at({"status", "nominatedNodeName"}).as_string()), readiness_gates(pod)});
}

}  // namespace skiff::api
