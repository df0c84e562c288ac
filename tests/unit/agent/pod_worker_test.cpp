#include "agent_fixture.h"

using namespace skiff;
using namespace skiff::agent;
using codec::Json;
using test::Program;

namespace {
constexpr const char* kPlain = R"({"containers":[{"name":"web","image":"app:1"}]})";
}

TEST_CASE("a pod comes up, runs, and is deleted with grace") {
  World world;
  Node node(world);
  world.create(kPlain);
  world.loop.advance(1s);
  INFO(codec::write_json(world.pod()));
  CHECK(world.phase() == "Running");
  CHECK(world.is_ready());
  Json status = world.pod()["status"];
  CHECK(status["podIP"].as_string() == "10.42.0.2");
  CHECK(status["hostIP"].as_string() == "192.0.2.1");
  CHECK(
      world.events.lines ==
      std::vector<std::string>{
          "Normal Pulled Container image \"app:1\" already present on machine and can be accessed "
          "by the pod",
          "Normal Created Container created", "Normal Started Container started"});
  world.remove();
  world.loop.advance(2s);
  CHECK(world.pod().is_null());
  CHECK(world.runtime.pods().empty());
  CHECK(world.network.addresses.empty());
  CHECK(node.pods.size() == 0);
  CHECK(world.events.count("Normal Killing Stopping container web") == 1);
  CHECK(sys::list_folder(node.options.data_dir + "/log/pods")->empty());
  CHECK(sys::list_folder(node.options.data_dir + "/pods")->empty());
}

TEST_CASE("a process that ignores SIGTERM is killed when its grace period is over") {
  World world;
  Node node(world);
  world.runtime.program = [](const auto&) {
    Program program;
    program.ignores_term = true;
    return program;
  };
  world.create(
      R"({"terminationGracePeriodSeconds":20,"containers":[{"name":"web","image":"app:1"}]})");
  world.loop.advance(1s);
  world.remove();
  world.loop.advance(19s);
  CHECK(world.runtime.running() == 1);
  world.loop.advance(2s);
  CHECK(world.pod().is_null());
  CHECK(world.runtime.log.at(3) == "signal web 9");
}

TEST_CASE("a second deletion shortens the grace period") {
  World world;
  Node node(world);
  world.runtime.program = [](const auto&) {
    Program program;
    program.ignores_term = true;
    return program;
  };
  world.create(
      R"({"terminationGracePeriodSeconds":600,"containers":[{"name":"web","image":"app:1"}]})");
  world.loop.advance(1s);
  world.remove();
  world.loop.advance(10s);
  Json pod = world.pod();
  pod["metadata"].set("deletionGracePeriodSeconds", 5);
  world.api.put(client::resources::pods, pod);
  world.loop.advance(1s);
  CHECK(world.pod().is_null());
}

TEST_CASE("a crash loop restarts at once, then after 10, 20, 40 seconds") {
  World world;
  Node node(world);
  world.runtime.program = [](const auto&) {
    Program program;
    program.runs_for = 1s;
    program.exit_code = 3;
    return program;
  };
  world.create(kPlain);
  world.loop.advance(1500ms);
  CHECK(world.runtime.starts_of("web") == 2);
  CHECK(world.status_of("web")["restartCount"].as_int() == 1);
  world.loop.advance(1s);
  CHECK(world.runtime.starts_of("web") == 2);
  CHECK(world.waiting_reason("web") == "CrashLoopBackOff");
  Json status = world.status_of("web");
  CHECK(status.at({"lastState", "terminated", "exitCode"}).as_int() == 3);
  CHECK(status.at({"state", "waiting", "message"}).as_string().find("back-off 10s restarting") ==
        0);
  CHECK(world.phase() == "Running");
  world.loop.advance(10s);
  CHECK(world.runtime.starts_of("web") == 3);
  world.loop.advance(20s);
  CHECK(world.runtime.starts_of("web") == 3);
  world.loop.advance(2s);
  CHECK(world.runtime.starts_of("web") == 4);
  CHECK(world.events.count(
            "Warning BackOff Back-off restarting failed container web in pod web_") >= 2);
  // Only the last two runs are kept.
  CHECK(world.runtime.containers().size() == 2);
}

TEST_CASE("an end that is told before the start is back from the pool is not lost") {
  World world;
  Node node(world);
  world.work.delay = 50ms;
  world.runtime.program = [](const auto&) {
    Program program;
    program.ends_after_first_look = true;
    program.exit_code = 3;
    return program;
  };
  world.create(R"({"restartPolicy":"Never","containers":[{"name":"web","image":"app:1"}]})");
  world.loop.advance(5s);
  CHECK(world.phase() == "Failed");
}

TEST_CASE("a container that ends between adoption and its worker is seen") {
  World world;
  {
    Node node(world);
    world.create(R"({"restartPolicy":"Never","containers":[{"name":"web","image":"app:1"}]})");
    world.loop.advance(1s);
  }
  std::string id = world.runtime.id_of("web");
  world.runtime.fault = [&](std::string_view call, const std::string&) {
    // It ends after the agent has listed what runs, and before anyone listens to its end.
    if (call == "adopt")
      world.loop.post([&world, id] {
        world.runtime.set_exit_callback({});
        world.runtime.end_process(id, 4);
      });
    return base::Status();
  };
  Node node(world);
  world.loop.advance(5s);
  CHECK(world.phase() == "Failed");
}

TEST_CASE("a pod that may not restart ends Succeeded or Failed, and stays until it is deleted") {
  struct Row {
    const char* policy;
    int exit_code;
    const char* phase;
  };
  for (const Row& row : {Row{"Never", 0, "Succeeded"}, Row{"Never", 2, "Failed"},
                         Row{"OnFailure", 0, "Succeeded"}}) {
    World world;
    Node node(world);
    world.runtime.program = [&](const auto&) {
      Program program;
      program.runs_for = 1s;
      program.exit_code = row.exit_code;
      return program;
    };
    world.create(std::string(R"({"restartPolicy":")") + row.policy +
                 R"(","containers":[{"name":"web","image":"app:1"}]})");
    world.loop.advance(5s);
    CHECK(world.phase() == row.phase);
    CHECK(world.runtime.pods().empty());
    CHECK(world.network.addresses.empty());
    Json status = world.status_of("web");
    CHECK(status.at({"state", "terminated", "exitCode"}).as_int() == row.exit_code);
    world.loop.advance(1h);
    CHECK(world.runtime.starts_of("web") == 1);
    world.remove();
    world.loop.advance(1s);
    CHECK(world.pod().is_null());
    CHECK(node.pods.size() == 0);
  }
}

TEST_CASE("a pod that is over is cleaned up after a restart when it was not before") {
  World world;
  world.runtime.program = [](const auto&) {
    Program program;
    program.runs_for = 1s;
    return program;
  };
  world.runtime.fault = [](std::string_view call, const std::string&) {
    return call == "remove_pod" ? base::unavailable("busy") : base::Status();
  };
  {
    Node node(world);
    world.create(R"({"restartPolicy":"Never","containers":[{"name":"web","image":"app:1"}]})");
    world.loop.advance(5s);
    REQUIRE(world.phase() == "Succeeded");
    REQUIRE_FALSE(world.runtime.pods().empty());
  }
  const Json before = world.status_of("web");
  world.runtime.fault = nullptr;
  Node node(world);
  world.loop.advance(5s);
  CHECK(world.runtime.pods().empty());
  CHECK(world.runtime.containers().empty());
  CHECK(world.network.addresses.empty());
  CHECK(world.phase() == "Succeeded");
  CHECK(world.status_of("web") == before);
  world.loop.advance(1h);
  CHECK(world.runtime.starts_of("web") == 1);
  world.remove();
  world.loop.advance(1s);
  CHECK(world.pod().is_null());
  CHECK(node.pods.size() == 0);
}

TEST_CASE("what is left of a pod that is gone is removed, also when that fails at first") {
  World world;
  {
    Node node(world);
    world.create(kPlain);
    world.loop.advance(1s);
    REQUIRE(world.runtime.running() == 1);
  }
  world.api.erase(client::resources::pods, "default/web");
  int refused = 2;
  world.runtime.fault = [&](std::string_view call, const std::string&) {
    const bool refuses = call == "remove_pod" && refused-- > 0;
    return refuses ? base::unavailable("busy") : base::Status();
  };
  Node node(world);
  world.loop.advance(1s);
  CHECK(world.runtime.pods().size() == 1);
  world.loop.advance(1min);
  CHECK(world.runtime.pods().empty());
  CHECK(world.network.addresses.empty());
  CHECK(sys::list_folder(node.options.data_dir + "/pods")->empty());
}

TEST_CASE("init containers run in order before the others, sidecars stay and end last") {
  World world;
  Node node(world);
  world.runtime.program = [](const runtime::ContainerOptions& options) {
    Program program;
    if (options.name != "side") program.runs_for = options.name == "web" ? 5s : 1s;
    return program;
  };
  world.create(R"({"restartPolicy":"Never","initContainers":[{"name":"one","image":"app:1"},
    {"name":"side","image":"app:1","restartPolicy":"Always"},{"name":"two","image":"app:1"}],
    "containers":[{"name":"web","image":"app:1"}]})");
  world.loop.advance(500ms);
  CHECK(world.phase() == "Pending");
  CHECK(world.waiting_reason("web") == "PodInitializing");
  world.loop.advance(3s);
  CHECK(world.phase() == "Running");
  world.loop.advance(10s);
  CHECK(world.phase() == "Succeeded");
  std::vector<std::string> starts;
  for (const auto& line : world.runtime.log)
    if (line.find("start ") == 0 || line == "signal side 15") starts.push_back(line);
  CHECK(starts == std::vector<std::string>{"start one", "start side", "start two", "start web",
                                           "signal side 15"});
}

TEST_CASE("a missing image is pulled, backs off with the kubelet's reasons, and recovers") {
  World world;
  Node node(world);
  world.images.pull_error = base::unavailable("registry says no");
  world.create(R"({"containers":[{"name":"web","image":"reg.example/app:1"}]})");
  world.loop.advance(1s);
  CHECK(world.waiting_reason("web") == "ErrImagePull");
  world.loop.advance(2s);
  CHECK(world.waiting_reason("web") == "ImagePullBackOff");
  CHECK(world.phase() == "Pending");
  CHECK(world.events.count("Warning Failed Failed to pull image \"reg.example/app:1\": registry "
                           "says no") == 1);
  CHECK(world.events.count("Normal BackOff Back-off pulling image \"reg.example/app:1\"") == 1);
  world.loop.advance(8s);
  CHECK(world.images.pulls == 2);
  world.images.pull_error = {};
  world.images.add("reg.example/app:1");
  world.images.registry = world.images.images;
  world.images.images.erase("reg.example/app:1");
  world.loop.advance(21s);
  CHECK(world.images.pulls == 3);
  CHECK(world.phase() == "Running");
  CHECK(world.events.count("Normal Pulled Successfully pulled image") == 1);
}

TEST_CASE("policies Never and a bad name say so") {
  World world;
  Node node(world);
  world.create(R"({"containers":[{"name":"web","image":"gone","imagePullPolicy":"Never"},
    {"name":"bad","image":"UPPER:::x"}]})");
  world.loop.advance(1s);
  CHECK(world.waiting_reason("web") == "ErrImageNeverPull");
  CHECK(world.waiting_reason("bad") == "InvalidImageName");
}

TEST_CASE("a wrong command is a start error, then a crash loop") {
  World world;
  Node node(world);
  world.runtime.fault = [](std::string_view call, const std::string&) {
    if (call != "create_container") return base::Status();
    return base::invalid_argument("exec: \"nope\": executable file not found in $PATH");
  };
  world.create(kPlain);
  world.loop.advance(1s);
  CHECK(world.waiting_reason("web") == "RunContainerError");
  world.loop.advance(2s);
  CHECK(world.waiting_reason("web") == "CrashLoopBackOff");
  Json status = world.status_of("web");
  CHECK(status.at({"lastState", "terminated", "exitCode"}).as_int() == 128);
  CHECK(status.at({"lastState", "terminated", "reason"}).as_string() == "StartError");
  CHECK(world.events.count("Warning Failed Error: exec: \"nope\"") == 1);
  world.runtime.fault = {};
  world.loop.advance(15s);
  CHECK(world.phase() == "Running");
}

TEST_CASE("a missing ConfigMap holds the container, and its arrival lets it start") {
  World world;
  Node node(world);
  world.create(R"({"containers":[{"name":"web","image":"app:1","env":[{"name":"A","valueFrom":
    {"configMapKeyRef":{"name":"cm","key":"k"}}}]}]})");
  world.loop.advance(1s);
  CHECK(world.waiting_reason("web") == "CreateContainerConfigError");
  CHECK(world.events.count("Warning Failed Error: configmap \"cm\" not found") == 1);
  world.api.put(client::resources::config_maps, parse_or_fail(R"({"metadata":{"name":"cm",
    "namespace":"default"},"data":{"k":"v"}})"));
  world.loop.advance(11s);
  CHECK(world.phase() == "Running");
  const auto& options = world.runtime.options_of(world.runtime.id_of("web"));
  CHECK(std::find(options.env.begin(), options.env.end(),
                  std::pair<std::string, std::string>("A", "v")) != options.env.end());
}

TEST_CASE("a volume's source that changes is projected again") {
  World world;
  world.api.put(client::resources::config_maps, parse_or_fail(R"({"metadata":{"name":"cm",
    "namespace":"default"},"data":{"k":"old"}})"));
  Node node(world);
  world.create(R"({"volumes":[{"name":"v","configMap":{"name":"cm"}}],"containers":[{"name":"web",
    "image":"app:1","volumeMounts":[{"name":"v","mountPath":"/v"}]}]})");
  world.loop.advance(1s);
  const auto& mounts = world.runtime.options_of(world.runtime.id_of("web")).mounts;
  REQUIRE(mounts.at(0).destination == "/v");
  CHECK(*sys::read_file(mounts[0].source + "/k", 100) == "old");
  world.api.put(client::resources::config_maps, parse_or_fail(R"({"metadata":{"name":"cm",
    "namespace":"default"},"data":{"k":"new"}})"));
  world.loop.advance(1s);
  CHECK(*sys::read_file(mounts[0].source + "/k", 100) == "new");
}

TEST_CASE("labels that change are seen in the volumes of the downward API") {
  World world;
  Node node(world);
  world.create(R"({"containers":[{"name":"web","image":"app:1"}],"volumes":[{"name":"info",
      "downwardAPI":{"items":[{"path":"labels","fieldRef":{"fieldPath":"metadata.labels"}}]}}]})");
  world.loop.advance(1s);
  Json pod = world.pod();
  const std::string file = world.folder.path + "/run/volumes/" +
                           std::string(pod["metadata"]["uid"].as_string()) + "/info/labels";
  CHECK(sys::read_file(file, 100).value_or("none").empty());
  pod["metadata"].set("labels", Json::object({{"key", "value"}}));
  world.api.put(client::resources::pods, pod);
  world.loop.advance(1s);
  CHECK(sys::read_file(file, 100).value_or("none") == "key=\"value\"");
}

TEST_CASE("hostPorts are published with the address, and withdrawn when the pod ends") {
  World world;
  Node node(world);
  std::vector<std::string> told;
  node.hooks.host_ports = [&](const std::string&, const std::vector<net::ServiceRule>& rules) {
    told.push_back(rules.empty() ? "none" : rules[0].endpoints[0].address);
  };
  world.create(R"({"containers":[{"name":"web","image":"app:1",
      "ports":[{"containerPort":80,"hostPort":8080}]}]})");
  world.loop.advance(1s);
  REQUIRE(told.size() == 1);
  CHECK(told[0] == world.pod()["status"]["podIP"].as_string());
  world.remove();
  world.loop.advance(5s);
  REQUIRE(told.size() == 2);
  CHECK(told[1] == "none");
}

TEST_CASE("a volume that cannot be made is an event, and nothing is started") {
  World world;
  Node node(world);
  world.create(R"({"volumes":[{"name":"v","nfs":{"server":"s","path":"/"}}],
    "containers":[{"name":"web","image":"app:1"}]})");
  world.loop.advance(3s);
  CHECK(world.phase() == "Pending");
  CHECK(world.waiting_reason("web") == "ContainerCreating");
  CHECK(world.runtime.log.empty());
  CHECK(world.events.count("Warning FailedMount MountVolume.SetUp failed for volume \"v\" : "
                           "volumes of type nfs are not supported") >= 1);
  world.remove(0);
  world.loop.advance(3s);
  CHECK(node.pods.size() == 0);
}

TEST_CASE("sandbox and network failures are events, undone and tried again") {
  World world;
  Node node(world);
  world.network.attach_error = base::unavailable("no addresses left");
  world.create(kPlain);
  world.loop.advance(100ms);
  CHECK(world.runtime.pods().empty());
  CHECK(world.events.count("Warning FailedCreatePodSandBox Failed to create pod sandbox: failed to "
                           "set up pod network: no addresses left") == 1);
  world.network.attach_error = {};
  world.loop.advance(2s);
  CHECK(world.phase() == "Running");
}

TEST_CASE("a lost sandbox is made again, and its containers with it") {
  World world;
  Node node(world);
  world.create(kPlain);
  world.loop.advance(1s);
  std::string uid(world.pod()["metadata"]["uid"].as_string());
  world.runtime.lose_sandbox(uid);
  world.loop.advance(2s);
  CHECK(world.runtime.starts_of("web") == 2);
  CHECK(world.phase() == "Running");
  CHECK(world.status_of("web")["restartCount"].as_int() == 1);
  CHECK(world.events.count("Normal SandboxChanged") == 1);
}

TEST_CASE("activeDeadlineSeconds ends a pod as Failed") {
  World world;
  Node node(world);
  world.create(R"({"activeDeadlineSeconds":30,"containers":[{"name":"web","image":"app:1"}]})");
  world.loop.advance(29s);
  CHECK(world.phase() == "Running");
  world.loop.advance(5s);
  CHECK(world.phase() == "Failed");
  CHECK(world.pod()["status"]["reason"].as_string() == "DeadlineExceeded");
  CHECK(world.runtime.running() == 0);
}

TEST_CASE("a pod that fills its emptyDir is evicted without grace") {
  World world;
  Node node(world);
  world.create(R"({"terminationGracePeriodSeconds":600,
      "containers":[{"name":"web","image":"app:1"}],
      "volumes":[{"name":"scratch","emptyDir":{"sizeLimit":"64Ki"}}]})");
  world.loop.advance(15s);
  CHECK(world.phase() == "Running");
  std::string uid(world.pod()["metadata"]["uid"].as_string());
  REQUIRE(sys::write_file_atomic(world.folder.path + "/data/pods/" + uid + "/volumes/scratch/big",
                                 std::string(100'000, 'x'), 0600, sys::Sync::no));
  world.loop.advance(16s);
  CHECK(world.phase() == "Failed");
  const Json status = world.pod()["status"];
  CHECK(status["reason"].as_string() == "Evicted");
  CHECK(status["message"].as_string() ==
        "Usage of EmptyDir volume \"scratch\" exceeds the limit \"64Ki\". ");
  CHECK(api::find_condition(world.pod(), "DisruptionTarget")["reason"].as_string() ==
        "TerminationByKubelet");
  CHECK(world.events.count("Warning Evicted") == 1);
  CHECK(world.runtime.running() == 0);
}

TEST_CASE("a pod that the node refuses has failed, and nothing of it was started") {
  World world;
  Node node(world);
  world.create(R"({"containers":[{"name":"web","image":"app:1"}],
      "securityContext":{"sysctls":[{"name":"kernel.msgmax","value":"1"}]}})");
  world.loop.advance(5s);
  CHECK(world.phase() == "Failed");
  const Json status = world.pod()["status"];
  CHECK(status["reason"].as_string() == "SysctlForbidden");
  CHECK(status["message"].as_string() ==
        "Pod was rejected: forbidden sysctl: \"kernel.msgmax\" not allowlisted");
  CHECK(status["containerStatuses"].empty());
  CHECK(world.events.count("Warning SysctlForbidden") == 1);
  CHECK(world.runtime.starts_of("web") == 0);
  world.remove(0);
  world.loop.advance(5s);
  CHECK(world.pod().is_null());
}

TEST_CASE("a clock that jumps neither ends a pod with a deadline nor lets it go on for ever") {
  const auto jump = GENERATE(base::Duration(24h * 3650), base::Duration(-24h * 365 * 50));
  World world;
  Node node(world);
  world.create(R"({"activeDeadlineSeconds":600,"containers":[{"name":"web","image":"app:1"}]})");
  world.loop.advance(60s);
  world.loop.jump_wall_clock(jump);
  // Anything that makes the worker look again.
  world.api.put(client::resources::pods, [&] {
    auto pod = world.pod();
    pod["metadata"]["labels"].set("a", "b");
    return pod;
  }());
  world.loop.advance(500s);
  CHECK(world.phase() == "Running");
  world.loop.advance(80s);
  CHECK(world.phase() == "Failed");
}

TEST_CASE("a clock that jumps neither hurries nor holds up the first probe") {
  const auto jump = GENERATE(base::Duration(24h * 3650), base::Duration(-24h * 365 * 50));
  World world;
  Node node(world);
  world.create(R"({"containers":[{"name":"web","image":"app:1","startupProbe":{"exec":{"command":
    ["up"]},"periodSeconds":1,"failureThreshold":300},"readinessProbe":{"exec":{"command":["ready"]},
    "initialDelaySeconds":100,"periodSeconds":1}}]})");
  bool up = false;
  world.prober.answer = [&](const std::string& what) {
    return ProbeResult{what != "exec up" || up, ""};
  };
  world.loop.advance(40s);
  REQUIRE(world.phase() == "Running");
  world.loop.jump_wall_clock(jump);
  up = true;
  world.loop.advance(50s);
  CHECK_FALSE(world.is_ready());
  world.loop.advance(30s);
  CHECK(world.is_ready());
}

TEST_CASE("readiness follows its probe at once, liveness restarts, startup holds both back") {
  World world;
  Node node(world);
  bool ready = false, alive = true, up = false;
  world.prober.answer = [&](const std::string& what) {
    if (what == "exec ready") return ProbeResult{ready, "not yet"};
    if (what == "exec up") return ProbeResult{up, "starting"};
    return ProbeResult{alive, "dead"};
  };
  world.create(R"({"containers":[{"name":"web","image":"app:1","ports":[{"name":"http",
    "containerPort":8080}],
    "startupProbe":{"exec":{"command":["up"]},"periodSeconds":1,"failureThreshold":30},
    "readinessProbe":{"exec":{"command":["ready"]},"periodSeconds":1},
    "livenessProbe":{"httpGet":{"path":"/health","port":"http"},"periodSeconds":2,
      "failureThreshold":2}}]})");
  world.loop.advance(5s);
  CHECK(world.phase() == "Running");
  CHECK_FALSE(world.status_of("web")["started"].as_bool());
  CHECK(std::count(world.prober.asked.begin(), world.prober.asked.end(), "exec ready") == 0);
  up = true;
  world.loop.advance(2s);
  CHECK(world.status_of("web")["started"].as_bool());
  CHECK_FALSE(world.is_ready());
  CHECK(std::count(world.prober.asked.begin(), world.prober.asked.end(),
                   "http 10.42.0.2:8080/health") >= 1);
  ready = true;
  world.loop.advance(1100ms);
  CHECK(world.is_ready());
  ready = false;
  world.loop.advance(3100ms);
  CHECK_FALSE(world.is_ready());
  CHECK(world.events.count("Warning Unhealthy Readiness probe failed: not yet") >= 3);
  alive = false;
  world.loop.advance(5s);
  CHECK(world.runtime.starts_of("web") == 2);
  CHECK(world.events.count("Normal Killing Container web failed liveness probe, will be "
                           "restarted") == 1);
}

TEST_CASE("hooks: postStart before probes, preStop within the grace period") {
  World world;
  Node node(world);
  world.create(R"({"containers":[{"name":"web","image":"app:1","lifecycle":{
    "postStart":{"exec":{"command":["hello"]}},"preStop":{"sleep":{"seconds":5}}}}]})");
  world.loop.advance(1s);
  CHECK(world.prober.asked == std::vector<std::string>{"exec hello"});
  world.remove();
  world.loop.advance(4s);
  CHECK(world.runtime.running() == 1);
  world.loop.advance(2s);
  CHECK(world.pod().is_null());
}

TEST_CASE("a failing postStart hook kills the container, which then backs off") {
  World world;
  Node node(world);
  world.prober.answer = [](const std::string&) { return ProbeResult{false, "no"}; };
  world.create(R"({"containers":[{"name":"web","image":"app:1","lifecycle":{
    "postStart":{"exec":{"command":["hello"]}}}}]})");
  world.loop.advance(5s);
  CHECK(world.events.count("Warning FailedPostStartHook PostStartHook failed") >= 1);
  CHECK(world.waiting_reason("web") == "CrashLoopBackOff");
}

TEST_CASE("the end of a container carries its termination message") {
  World world;
  Node node(world);
  world.create(R"({"restartPolicy":"Never","containers":[{"name":"web","image":"app:1"}]})");
  world.loop.advance(1s);
  const auto& options = world.runtime.options_of(world.runtime.id_of("web"));
  auto mount = std::find_if(options.mounts.begin(), options.mounts.end(),
                            [](const auto& m) { return m.destination == "/dev/termination-log"; });
  REQUIRE(mount != options.mounts.end());
  REQUIRE(sys::write_file_atomic(mount->source, std::string(5000, 'x'), 0644, sys::Sync::no));
  world.runtime.end_process(options.id, 1);
  world.loop.advance(1s);
  Json status = world.status_of("web");
  CHECK(status.at({"state", "terminated", "message"}).as_string().size() == 4096);
}

TEST_CASE("a restart of the agent adopts what runs: same process, no restart counted") {
  World world;
  int pid = 0;
  {
    Node node(world);
    world.create(kPlain);
    world.loop.advance(1s);
    pid = world.runtime.pid_of("web");
  }
  CHECK(world.runtime.running() == 1);
  {
    Node node(world);
    world.loop.advance(30s);
    CHECK(world.runtime.pid_of("web") == pid);
    CHECK(world.runtime.starts_of("web") == 1);
    CHECK(world.status_of("web")["restartCount"].as_int() == 0);
    CHECK(world.is_ready());
    CHECK(world.pod()["status"]["podIP"].as_string() == "10.42.0.2");
    world.remove();
    world.loop.advance(3s);
    CHECK(world.pod().is_null());
  }
}

TEST_CASE("what ended while the agent was away is not run twice") {
  World world;
  {
    Node node(world);
    world.create(R"({"restartPolicy":"OnFailure","containers":[{"name":"web","image":"app:1"}]})");
    world.loop.advance(1s);
  }
  world.runtime.end_process(world.runtime.id_of("web"), 0);
  {
    Node node(world);
    world.loop.advance(10s);
    CHECK(world.phase() == "Succeeded");
  }
  {
    Node node(world);
    world.loop.advance(10s);
    CHECK(world.phase() == "Succeeded");
  }
  CHECK(world.runtime.starts_of("web") == 1);
}

TEST_CASE("pods that are gone from the API are cleaned up at start") {
  World world;
  {
    Node node(world);
    world.create(kPlain);
    world.loop.advance(1s);
  }
  world.api.erase(client::resources::pods, "default/web");
  Node node(world);
  world.loop.advance(1s);
  CHECK(world.runtime.pods().empty());
  CHECK(world.runtime.running() == 0);
  CHECK(world.network.addresses.empty());
  CHECK(sys::list_folder(node.options.data_dir + "/pods")->empty());
}

TEST_CASE("deletion at every moment of a slow start leaves nothing behind") {
  for (int moment = 0; moment < 40; ++moment) {
    World world;
    Node node(world);
    world.images.add("reg.example/app:1");
    world.images.registry = world.images.images;
    world.images.images.clear();
    world.work.delay = 50ms;
    world.pulls.delay = 500ms;
    world.create(R"({"initContainers":[{"name":"one","image":"reg.example/app:1"}],
      "containers":[{"name":"web","image":"reg.example/app:1"}]})");
    world.runtime.program = [](const runtime::ContainerOptions& options) {
      Program program;
      if (options.name == "one") program.runs_for = 100ms;
      return program;
    };
    world.loop.advance(moment * 50ms);
    world.remove();
    world.loop.advance(40s);
    INFO("moment " << moment);
    CHECK(world.pod().is_null());
    CHECK(world.runtime.pods().empty());
    CHECK(world.runtime.containers().empty());
    CHECK(world.network.addresses.empty());
    CHECK(node.pods.size() == 0);
    CHECK(node.configs.size() == 0);
  }
}

TEST_CASE("a restart of the agent at every moment still ends with one running process") {
  for (int moment = 0; moment < 40; ++moment) {
    World world;
    world.work.delay = 50ms;
    world.runtime.program = [](const runtime::ContainerOptions& options) {
      Program program;
      if (options.name == "one") program.runs_for = 100ms;
      return program;
    };
    {
      Node node(world);
      world.create(R"({"initContainers":[{"name":"one","image":"app:1"}],
        "containers":[{"name":"web","image":"app:1"}]})");
      world.loop.advance(moment * 40ms);
    }
    Node node(world);
    world.loop.advance(40s);
    INFO("moment " << moment);
    CHECK(world.phase() == "Running");
    CHECK(world.is_ready());
    CHECK(world.runtime.starts_of("one") == 1);
    CHECK(world.runtime.starts_of("web") == 1);
    CHECK(world.runtime.running() == 1);
    CHECK(world.status_of("web")["restartCount"].as_int() == 0);
  }
}

TEST_CASE("a status that the API refuses for a while arrives once it is back") {
  World world;
  Node node(world);
  world.api.fault = [](std::string_view verb, client::Resource, std::string_view) {
    return verb == "patch" ? base::unavailable("away") : base::Status();
  };
  world.create(kPlain);
  world.loop.advance(10s);
  CHECK(world.runtime.running() == 1);
  CHECK(world.phase() == "Pending");
  world.api.fault = {};
  world.loop.advance(31s);
  CHECK(world.phase() == "Running");
}
