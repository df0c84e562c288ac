#include "agent/limits.h"
#include "agent/pod/plan_actions.h"
#include "agent/pod/plan_admission.h"
#include "agent/pod/plan_restart.h"
#include "agent/pod/plan_status.h"
#include "agent/pod/pod_states.h"

#include <skiff/api/object.h>

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::agent;
using namespace std::chrono_literals;
using codec::Json;

namespace {

Json parse(std::string_view text) {
  auto json = codec::parse_json(text);
  REQUIRE(json);
  return *json;
}

const base::WallTime kNow = base::WallTime::from_unix_seconds(1'700'000'000);

PodRecord make_record(std::string_view spec, std::string_view status = "{}") {
  PodRecord record;
  record.pod = Json::object({{"metadata", parse(R"({"name":"web","namespace":"default",
      "uid":"u1","generation":1})")},
                             {"spec", parse(spec)},
                             {"status", parse(status)}});
  record.containers = make_container_records(record.pod);
  record.started_at = kNow;
  return record;
}

ContainerRun running(int attempt = 0) {
  ContainerRun run;
  run.status.id = "abc";
  run.status.attempt = attempt;
  run.status.state = runtime::ContainerState::running;
  run.status.started_at = kNow;
  return run;
}

ContainerRun exited(int code, int attempt = 0) {
  ContainerRun run = running(attempt);
  run.status.state = runtime::ContainerState::exited;
  run.status.exit_code = code;
  run.status.finished_at = kNow;
  return run;
}

void set_running(ContainerRecord& container) {
  container.current = running();
  container.started = container.ready = true;
}

std::string condition(const Json& status, std::string_view type) {
  Json object = Json::object({{"status", status}});
  const Json& found = api::find_condition(object, type);
  return std::string(found["status"].as_string()) + "/" + std::string(found["reason"].as_string()) +
         "/" + std::string(found["message"].as_string());
}

Json status_of(const PodRecord& record) { return plan_pod_status({record, "192.0.2.1", kNow}); }

constexpr const char* kTwo =
    R"({"containers":[{"name":"a","image":"i"},{"name":"b","image":"i"}]})";
constexpr const char* kInit = R"({"initContainers":[{"name":"setup","image":"i"}],
  "containers":[{"name":"a","image":"i"}]})";

}  // namespace

TEST_CASE("only the drawn moves of a pod are allowed") {
  using S = PodPhaseState;
  const S all[] = {S::waiting,  S::preparing, S::running, S::terminating,
                   S::cleaning, S::finished,  S::gone};
  const std::pair<S, S> allowed[] = {{S::waiting, S::preparing},     {S::waiting, S::terminating},
                                     {S::preparing, S::waiting},     {S::preparing, S::running},
                                     {S::preparing, S::terminating}, {S::running, S::waiting},
                                     {S::running, S::terminating},   {S::terminating, S::cleaning},
                                     {S::cleaning, S::finished},     {S::finished, S::gone}};
  for (S from : all)
    for (S to : all) {
      bool expected = std::find(std::begin(allowed), std::end(allowed), std::pair(from, to)) !=
                      std::end(allowed);
      INFO(pod_state_name(from) << " -> " << pod_state_name(to));
      CHECK(is_allowed_move(from, to) == expected);
    }
}

TEST_CASE("restart policies decide by kind and exit code") {
  struct Row {
    ContainerKind kind;
    const char* policy;
    int exit_code;
    bool restarts;
  };
  const Row rows[] = {
      {ContainerKind::regular, "Always", 0, true},
      {ContainerKind::regular, "Always", 1, true},
      {ContainerKind::regular, "OnFailure", 0, false},
      {ContainerKind::regular, "OnFailure", 1, true},
      {ContainerKind::regular, "Never", 1, false},
      {ContainerKind::init, "Always", 0, false},
      {ContainerKind::init, "Always", 1, true},
      {ContainerKind::init, "OnFailure", 1, true},
      {ContainerKind::init, "Never", 1, false},
      {ContainerKind::sidecar, "Never", 0, true},
  };
  for (const auto& row : rows)
    CHECK(should_restart(row.kind, row.policy, row.exit_code) == row.restarts);
}

TEST_CASE("back-off is none at first, then 10 s doubling to 5 min, and forgotten after 10 min") {
  base::Duration registered{0};
  std::vector<std::int64_t> pauses;
  for (int i = 0; i < 8; ++i) {
    pauses.push_back(pause_before_restart(registered, 1s).count() / 1'000'000'000);
    registered = registered_after_restart(registered, 1s);
  }
  CHECK(pauses == std::vector<std::int64_t>{0, 10, 20, 40, 80, 160, 300, 300});
  CHECK(pause_before_restart(registered, 10min) == 0s);
  CHECK(registered_after_restart(registered, 10min) == 10s);
  CHECK(format_go_duration(160s) == "2m40s");
  CHECK(format_go_duration(5min) == "5m0s");
  CHECK(format_go_duration(10s) == "10s");
  auto record = make_record(kTwo);
  CHECK(back_off_message(20s, "a", record.pod) ==
        "back-off 20s restarting failed container=a pod=web_default(u1)");
}

TEST_CASE("a new pod is Pending and names what is not ready") {
  auto record = make_record(kTwo);
  Json status = status_of(record);
  CHECK(status["phase"].as_string() == "Pending");
  CHECK(condition(status, "PodReadyToStartContainers") == "False//");
  CHECK(condition(status, "Initialized") == "True//");
  CHECK(condition(status, "Ready") ==
        "False/ContainersNotReady/containers with unready status: [a b]");
  CHECK(status["containerStatuses"].items()[0].at({"state", "waiting", "reason"}).as_string() ==
        "ContainerCreating");
  CHECK(status["hostIP"].as_string() == "192.0.2.1");
  CHECK(status["qosClass"].as_string() == "BestEffort");
  CHECK(status["observedGeneration"].as_int() == 1);
  CHECK_FALSE(status.contains("podIP"));
}

TEST_CASE("running and ready containers make a running and ready pod") {
  auto record = make_record(kTwo);
  record.sandbox_ready = true;
  record.pod_ip = "10.42.0.7";
  for (auto& container : record.containers) set_running(container);
  Json status = status_of(record);
  CHECK(status["phase"].as_string() == "Running");
  for (const char* type :
       {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"})
    CHECK(condition(status, type) == "True//");
  CHECK(status["podIPs"].items()[0]["ip"].as_string() == "10.42.0.7");
  const Json& first = status["containerStatuses"].items()[0];
  CHECK(first["containerID"].as_string() == "skiff://abc");
  CHECK(first["started"].as_bool());
  record.containers[1].ready = false;
  CHECK(condition(status_of(record), "Ready") ==
        "False/ContainersNotReady/containers with unready status: [b]");
}

TEST_CASE("the phase follows restart policy and exit codes") {
  struct Row {
    const char* policy;
    std::optional<int> a, b;  // exit codes; none = running
    bool terminating;
    const char* phase;
  };
  const Row rows[] = {
      {"Always", 0, 1, false, "Running"},
      {"OnFailure", 0, 1, false, "Running"},
      {"Never", 0, 1, false, "Failed"},
      {"Never", 0, 0, false, "Succeeded"},
      {"OnFailure", 0, 0, false, "Succeeded"},
      {"Never", 0, std::nullopt, false, "Running"},
      {"Always", 0, 0, true, "Succeeded"},
      {"Always", 0, 137, true, "Failed"},
      {"Always", 0, std::nullopt, true, "Running"},
  };
  for (const auto& row : rows) {
    auto record = make_record(kTwo);
    record.pod["spec"].set("restartPolicy", row.policy);
    record.terminating = row.terminating;
    record.containers[0].current = row.a ? exited(*row.a) : running();
    record.containers[1].current = row.b ? exited(*row.b) : running();
    INFO(row.policy << " " << row.phase);
    CHECK(status_of(record)["phase"].as_string() == row.phase);
  }
}

TEST_CASE("init containers hold the pod in Pending, and fail it under Never") {
  auto record = make_record(kInit);
  Json status = status_of(record);
  CHECK(status["phase"].as_string() == "Pending");
  CHECK(condition(status, "Initialized") ==
        "False/ContainersNotInitialized/containers with incomplete status: [setup]");
  CHECK(status["containerStatuses"].items()[0].at({"state", "waiting", "reason"}).as_string() ==
        "PodInitializing");
  record.containers[0].current = exited(1);
  CHECK(status_of(record)["phase"].as_string() == "Pending");
  record.pod["spec"].set("restartPolicy", "Never");
  CHECK(status_of(record)["phase"].as_string() == "Failed");
  record.containers[0].current = exited(0);
  set_running(record.containers[1]);
  status = status_of(record);
  CHECK(status["phase"].as_string() == "Running");
  CHECK(status["initContainerStatuses"].items()[0]["ready"].as_bool());
}

TEST_CASE("a crash loop shows the wait as state and the end as last state") {
  auto record = make_record(kTwo);
  set_running(record.containers[1]);
  auto& crashed = record.containers[0];
  crashed.current = exited(3, 2);
  crashed.restart_count = 2;
  crashed.waiting = WaitingState{"CrashLoopBackOff", "back-off"};
  Json status = status_of(record);
  CHECK(status["phase"].as_string() == "Running");
  const Json& first = status["containerStatuses"].items()[0];
  CHECK(first.at({"state", "waiting", "reason"}).as_string() == "CrashLoopBackOff");
  CHECK(first.at({"lastState", "terminated", "exitCode"}).as_int() == 3);
  CHECK(first["restartCount"].as_int() == 2);
  record.terminating = true;
  const Json ended = status_of(record);
  CHECK(ended["containerStatuses"].items()[0].at({"state", "terminated", "exitCode"}).as_int() ==
        3);
}

TEST_CASE("transition times and others' conditions stay; a terminal phase is final") {
  auto record = make_record(kTwo, R"({"phase":"Failed","startTime":"2020-01-01T00:00:00Z",
    "conditions":[
    {"type":"PodScheduled","status":"True","lastTransitionTime":"2020-01-01T00:00:00Z"},
    {"type":"example.com/gate","status":"True"}]})");
  Json status = status_of(record);
  CHECK(status["phase"].as_string() == "Failed");
  CHECK(status["startTime"].as_string() == "2020-01-01T00:00:00Z");
  Json object = Json::object({{"status", status}});
  CHECK(api::find_condition(object, "PodScheduled")["lastTransitionTime"].as_string() ==
        "2020-01-01T00:00:00Z");
  CHECK_FALSE(api::find_condition(object, "example.com/gate").is_null());
  CHECK(condition(status, "ContainersReady") == "False/PodFailed/");
}

TEST_CASE("readiness gates hold back Ready only") {
  auto record = make_record(R"({"readinessGates":[{"conditionType":"example.com/gate"}],
    "containers":[{"name":"a","image":"i"}]})");
  set_running(record.containers[0]);
  Json status = status_of(record);
  CHECK(condition(status, "ContainersReady") == "True//");
  CHECK(condition(status, "Ready") ==
        "False/ReadinessGatesNotReady/corresponding condition of pod readiness gate "
        "\"example.com/gate\" does not exist.");
}

TEST_CASE("QoS class follows requests and limits") {
  struct Row {
    const char* resources;
    const char* qos;
  };
  const Row rows[] = {
      {"{}", "BestEffort"},
      {R"({"requests":{"cpu":"0"}})", "BestEffort"},
      {R"({"requests":{"cpu":"100m"}})", "Burstable"},
      {R"({"limits":{"memory":"1Gi"},"requests":{"memory":"1Gi"}})", "Burstable"},
      {R"({"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"1000m","memory":"1Gi"}})",
       "Guaranteed"},
      {R"({"limits":{"cpu":"2","memory":"1Gi"},"requests":{"cpu":"1","memory":"1Gi"}})",
       "Burstable"},
  };
  for (const auto& row : rows) {
    auto record = make_record(kTwo);
    for (auto& container : record.pod["spec"]["containers"].mutable_items())
      container.set("resources", parse(row.resources));
    CHECK(plan_qos_class(record.pod) == row.qos);
  }
}

TEST_CASE("a status patch has only what changed, and null for what went") {
  Json before = parse(R"({"phase":"Running","podIPs":[{"ip":"10.0.0.1"}],"message":"m"})");
  Json after = parse(R"({"phase":"Running","podIPs":[{"ip":"10.0.0.2"}]})");
  CHECK(plan_status_patch(before, after, "u1") == parse(R"({"metadata":{"uid":"u1"},
    "status":{"podIPs":[{"$patch":"replace"},{"ip":"10.0.0.2"}],"message":null}})"));
  CHECK(plan_status_patch(after, after, "u1").is_null());
}

TEST_CASE("a condition that has no reason any more loses the one that the API has") {
  Json before = parse(R"({"conditions":[{"type":"Initialized","status":"False","reason":"R",
      "message":"M"},{"type":"other/gate","status":"True"}]})");
  Json after = parse(R"({"conditions":[{"type":"Initialized","status":"True"},
      {"type":"other/gate","status":"True"}]})");
  CHECK(plan_status_patch(before, after, "u1") == parse(R"({"metadata":{"uid":"u1"},
    "status":{"conditions":[{"type":"Initialized","status":"True","reason":null,"message":null},
      {"type":"other/gate","status":"True"}]}})"));
}

TEST_CASE("sysctls that could hurt other pods are refused") {
  auto refused = [](std::string_view spec) {
    auto refusal = plan_admission({Json::object({{"spec", parse(spec)}}), Json(), {}});
    return refusal ? refusal->reason + ": " + refusal->message : std::string();
  };
  CHECK(refused("{}").empty());
  CHECK(refused(R"({"securityContext":{"sysctls":[{"name":"kernel/shm_rmid_forced","value":"1"},
      {"name":"net.ipv4.tcp_syncookies","value":"1"}]}})")
            .empty());
  CHECK(refused(R"({"securityContext":{"sysctls":[{"name":"kernel.msgmax","value":"1"}]}})") ==
        "SysctlForbidden: forbidden sysctl: \"kernel.msgmax\" not allowlisted");
  CHECK(refused(R"({"hostNetwork":true,"securityContext":{"sysctls":[
      {"name":"net.ipv4.tcp_syncookies","value":"1"}]}})") ==
        "SysctlForbidden: forbidden sysctl: \"net.ipv4.tcp_syncookies\" not allowed with host Net "
        "enabled");
  CHECK(dotted_sysctl("net/ipv4/conf/eth0.1/x") == "net.ipv4.conf.eth0/1.x");
  CHECK(dotted_sysctl("net.ipv4.conf.eth0/1.x") == "net.ipv4.conf.eth0/1.x");
}

TEST_CASE("a pod that was bound past the scheduler is taken only where it fits") {
  const Json node = parse(R"({"metadata":{"name":"n1","labels":{"disk":"ssd"}},
      "spec":{"taints":[{"key":"old","effect":"NoExecute"},{"key":"x","effect":"NoSchedule"}]},
      "status":{"allocatable":{"cpu":"2","memory":"1Gi","pods":"3"}}})");
  const std::string tolerates = R"("tolerations":[{"key":"old","operator":"Exists"}])";
  const Json present =
      parse(R"({"spec":{"containers":[{"ports":[{"hostPort":80,"hostIP":"10.0.0.1"}],
      "resources":{"requests":{"cpu":"1500m","memory":"600Mi"}}}]}})");
  auto refused = [&](const std::string& spec, std::size_t others = 1) {
    const Json pod = Json::object({{"spec", parse("{" + spec + "," + tolerates + "}")}});
    auto refusal = plan_admission({pod, node, std::vector<const Json*>(others, &present)});
    return refusal ? refusal->reason + ": " + refusal->message : std::string();
  };
  CHECK(refused(R"("containers":[{"resources":{"requests":{"cpu":"500m"}}}])").empty());
  CHECK(refused(R"("containers":[{"resources":{"requests":{"cpu":"501m"}}}])") ==
        "OutOfcpu: Node didn't have enough resource: cpu, requested: 501, used: 1500, capacity: "
        "2000");
  CHECK(refused(R"("containers":[{"resources":{"requests":{"memory":"500Mi"}}}])") ==
        "OutOfmemory: Node didn't have enough resource: memory, requested: 524288000, used: "
        "629145600, capacity: 1073741824");
  CHECK(refused(R"("containers":[{}])", 3) ==
        "OutOfpods: Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3");
  CHECK(refused(R"("nodeSelector":{"disk":"hdd"})") ==
        "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node "
        "affinity/selector");
  const std::string affinity =
      R"("affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":
         {"nodeSelectorTerms":[{"matchExpressions":[{"key":"disk","operator":")";
  CHECK(refused(affinity + R"(Exists"}]}]}}})").empty());
  CHECK_FALSE(refused(affinity + R"(DoesNotExist"}]}]}}})").empty());
  const std::string port = R"("containers":[{"ports":[{"hostPort":80,"hostIP":")";
  CHECK(refused(port + R"(10.0.0.2"}]}])").empty());
  CHECK(refused(port + R"("}]}])") ==
        "NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the requested "
        "pod ports");
  const Json intolerant = parse(R"({"spec":{"containers":[{}]}})");
  auto refusal = plan_admission({intolerant, node, {}});
  REQUIRE(refusal);
  CHECK(refusal->reason == "TaintToleration");
  CHECK_FALSE(plan_admission({intolerant, Json(), {}}));
}

TEST_CASE("init containers run again in a new sandbox, before the rest") {
  PodRecord record;
  record.pod = parse(R"({"spec":{"initContainers":[{"name":"i"}],"containers":[{"name":"c"}]}})");
  record.containers = make_container_records(record.pod);
  for (auto& container : record.containers) {
    container.current.emplace();
    container.current->status.state = runtime::ContainerState::exited;
    container.current->status.exit_code = container.name == "i" ? 0 : 137;
  }
  CHECK(plan_actions(record, {0}).start == std::vector<std::string>{"c"});
  for (auto& container : record.containers) container.is_of_lost_sandbox = true;
  CHECK(plan_actions(record, {0}).start == std::vector<std::string>{"i"});
  record.containers[0].is_of_lost_sandbox = false;
  CHECK(plan_actions(record, {0}).start == std::vector<std::string>{"c"});
}

TEST_CASE("a host's other address takes the place of the one before") {
  auto before = parse(R"({"hostIP":"192.0.2.1","hostIPs":[{"ip":"192.0.2.1"}]})");
  auto after = parse(R"({"hostIP":"192.0.2.2","hostIPs":[{"ip":"192.0.2.2"}]})");
  CHECK(plan_status_patch(before, after, "u1") == parse(R"({"metadata":{"uid":"u1"},
    "status":{"hostIP":"192.0.2.2","hostIPs":[{"$patch":"replace"},{"ip":"192.0.2.2"}]}})"));
}

TEST_CASE("init containers start one by one, then all regular ones together") {
  auto record = make_record(R"({"initContainers":[{"name":"one"},{"name":"side","restartPolicy":
    "Always"},{"name":"two"}],"containers":[{"name":"a"},{"name":"b"}]})");
  base::MonotonicTime now{1'000'000'000'000};
  using Names = std::vector<std::string>;
  CHECK(plan_actions(record, now).start == Names{"one"});
  record.containers[0].current = running();
  CHECK(plan_actions(record, now).start.empty());
  record.containers[0].current = exited(0);
  CHECK(plan_actions(record, now).start == Names{"side"});
  record.containers[1].current = running();
  CHECK(plan_actions(record, now).start.empty());
  record.containers[1].started = true;
  CHECK(plan_actions(record, now).start == Names{"two"});
  record.containers[2].current = exited(0);
  CHECK(plan_actions(record, now).start == Names{"a", "b"});
  record.containers[3].current = running();
  record.containers[4].current = running();
  CHECK(plan_actions(record, now).start.empty());
  record.containers[1].current = exited(1);
  CHECK(plan_actions(record, now).start == Names{"side"});
}

TEST_CASE("back-off delays a start and says when to look again") {
  auto record = make_record(kTwo);
  base::MonotonicTime now{1'000};
  set_running(record.containers[1]);
  record.containers[0].current = exited(1);
  record.containers[0].not_before = now + 10s;
  auto actions = plan_actions(record, now);
  CHECK(actions.start.empty());
  CHECK(actions.back_off == std::vector<std::string>{"a"});
  REQUIRE(actions.look_again_at);
  CHECK(*actions.look_again_at == now + 10s);
  CHECK(plan_actions(record, now + 10s).start == std::vector<std::string>{"a"});
}

TEST_CASE("a pod whose regular containers are done takes its sidecars down") {
  auto record = make_record(R"({"restartPolicy":"Never","initContainers":[{"name":"side",
    "restartPolicy":"Always"}],"containers":[{"name":"a"}]})");
  base::MonotonicTime now{1'000};
  set_running(record.containers[0]);
  record.containers[1].current = exited(0);
  auto actions = plan_actions(record, now);
  CHECK(actions.is_done);
  CHECK(actions.stop_sidecars);
  CHECK(actions.start.empty());
}

TEST_CASE("activeDeadlineSeconds counts from the start time") {
  auto record = make_record(kTwo);
  auto after = [](base::Duration passed) {
    return [passed](base::WallTime time) { return kNow + passed - time; };
  };
  CHECK_FALSE(time_to_deadline(record, after(0s)));
  record.pod["spec"].set("activeDeadlineSeconds", 30);
  CHECK(*time_to_deadline(record, after(10s)) == 20s);
  CHECK_FALSE(is_past_deadline(record, after(29s)));
  CHECK(is_past_deadline(record, after(30s)));
}
