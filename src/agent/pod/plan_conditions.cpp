#include "agent/pod/plan_conditions.h"

#include <skiff/base/strings.h>

namespace skiff::agent {

namespace {

struct Verdict {
  bool is_true = false;
  std::string reason, message;
};

const codec::Json* find_status(const codec::Json& statuses, std::string_view name) {
  for (const auto& status : statuses.items())
    if (status["name"].as_string() == name) return &status;
  return nullptr;
}

// Go prints a slice of strings as "[a b]".
std::string go_list(const std::vector<std::string>& names) {
  return base::concat("[", base::join(names, " "), "]");
}

std::string join_messages(const std::vector<std::string>& unknown, std::string_view what,
                          const std::vector<std::string>& others) {
  std::vector<std::string> parts;
  if (!unknown.empty())
    parts.push_back(base::concat("containers with unknown status: ", go_list(unknown)));
  if (!others.empty())
    parts.push_back(base::concat("containers with ", what, " status: ", go_list(others)));
  return base::join(parts, ", ");
}

bool is_sidecar(const codec::Json& container) {
  return container["restartPolicy"].as_string() == "Always";
}

bool has_any_regular_started(const PodRecord& record, const codec::Json& statuses) {
  for (const auto& container : record.pod["spec"]["containers"].items()) {
    const auto* status = find_status(statuses, container["name"].as_string());
    if (status == nullptr) continue;
    if (!(*status)["state"]["running"].is_null()) return true;
    if (!(*status)["state"]["terminated"].is_null()) return true;
    if (!(*status)["lastState"]["terminated"].is_null()) return true;
  }
  return false;
}

Verdict initialized(const PodRecord& record, const codec::Json& statuses, std::string_view phase) {
  std::vector<std::string> unknown, incomplete;
  for (const auto& container : record.pod["spec"]["initContainers"].items()) {
    std::string name(container["name"].as_string());
    const auto* status = find_status(statuses, name);
    if (status == nullptr) {
      unknown.push_back(name);
      continue;
    }
    const char* member = is_sidecar(container) ? "started" : "ready";
    if (!(*status)[member].as_bool()) incomplete.push_back(name);
  }
  if (phase == "Succeeded" && unknown.empty()) return {true, "PodCompleted", ""};
  if (has_any_regular_started(record, statuses)) return {true, "", ""};
  std::string message = join_messages(unknown, "incomplete", incomplete);
  if (message.empty()) return {true, "", ""};
  return {false, "ContainersNotInitialized", message};
}

Verdict containers_ready(const PodRecord& record, const codec::Json& statuses,
                         std::string_view phase) {
  std::vector<std::string> unknown, unready;
  auto look_at = [&](const codec::Json& container) {
    std::string name(container["name"].as_string());
    const auto* status = find_status(statuses, name);
    if (status == nullptr) {
      unknown.push_back(name);
    } else if (!(*status)["ready"].as_bool()) {
      unready.push_back(name);
    }
  };
  for (const auto& container : record.pod["spec"]["initContainers"].items())
    if (is_sidecar(container)) look_at(container);
  for (const auto& container : record.pod["spec"]["containers"].items()) look_at(container);
  if (phase == "Succeeded" && unknown.empty()) return {false, "PodCompleted", ""};
  if (phase == "Failed") return {false, "PodFailed", ""};
  std::string message = join_messages(unknown, "unready", unready);
  if (message.empty()) return {true, "", ""};
  return {false, "ContainersNotReady", message};
}

const codec::Json* find_in(const codec::Json& conditions, std::string_view type) {
  for (const auto& condition : conditions.items())
    if (condition["type"].as_string() == type) return &condition;
  return nullptr;
}

Verdict pod_ready(const PodRecord& record, const Verdict& containers) {
  if (!containers.is_true) return containers;
  std::vector<std::string> messages;
  const auto& present = record.pod["status"]["conditions"];
  for (const auto& gate : record.pod["spec"]["readinessGates"].items()) {
    std::string type(gate["conditionType"].as_string());
    const auto* condition = find_in(present, type);
    if (condition == nullptr) {
      messages.push_back(base::concat("corresponding condition of pod readiness gate ",
                                      base::quote(type), " does not exist."));
    } else if ((*condition)["status"].as_string() != "True") {
      messages.push_back(base::concat("the status of pod readiness gate ", base::quote(type),
                                      " is not \"True\", but ",
                                      (*condition)["status"].as_string()));
    }
  }
  if (messages.empty()) return {true, "", ""};
  return {false, "ReadinessGatesNotReady", base::join(messages, ", ")};
}

codec::Json make_condition(const PodRecord& record, std::string_view type, const Verdict& verdict,
                           base::WallTime now) {
  std::string_view status = verdict.is_true ? "True" : "False";
  codec::Json condition = codec::Json::object();
  condition.set("type", type);
  const auto& generation = record.pod["metadata"]["generation"];
  if (generation.as_int() > 0) condition.set("observedGeneration", generation);
  condition.set("status", status);
  std::string transition = base::format_rfc3339(now);
  const auto* present = find_in(record.pod["status"]["conditions"], type);
  if (present != nullptr && (*present)["status"].as_string() == status) {
    std::string_view kept = (*present)["lastTransitionTime"].as_string();
    if (!kept.empty()) transition = kept;
  }
  condition.set("lastTransitionTime", transition);
  if (!verdict.reason.empty()) condition.set("reason", verdict.reason);
  if (!verdict.message.empty()) condition.set("message", verdict.message);
  return condition;
}

}  // namespace

codec::Json plan_conditions(const PodRecord& record, const codec::Json& statuses,
                            std::string_view phase, base::WallTime now) {
  Verdict containers = containers_ready(record, statuses, phase);
  std::vector<std::pair<std::string_view, Verdict>> own = {
      {"PodReadyToStartContainers", {record.sandbox_ready, "", ""}},
      {"Initialized", initialized(record, statuses, phase)},
      {"Ready", pod_ready(record, containers)},
      {"ContainersReady", containers},
      {"PodScheduled", {true, "", ""}},
  };
  codec::Json conditions = codec::Json::array();
  for (const auto& [type, verdict] : own)
    conditions.push_back(make_condition(record, type, verdict, now));
  if (record.is_evicted) {
    Verdict evicted{true, "TerminationByKubelet", record.failed_message};
    conditions.push_back(make_condition(record, "DisruptionTarget", evicted, now));
  }
  for (const auto& condition : record.pod["status"]["conditions"].items())
    if (find_in(conditions, condition["type"].as_string()) == nullptr)
      conditions.push_back(condition);
  return conditions;
}

}  // namespace skiff::agent
