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

TEST_CASE("a pod that loses its finalizers while its deletion is answered is gone at once") {
  World world;
  Node node(world);
  world.create(kPlain);
  world.loop.advance(1s);
  Json held = world.pod();
  held["metadata"].set("finalizers", Json::array({"example.com/hold"}));
  world.api.put(client::resources::pods, held);
  world.remove();
  bool is_asked = false;
  world.api.delete_answer_delay = 1s;
  world.api.fault = [&is_asked](std::string_view verb, const auto&, const auto&) {
    is_asked |= verb == "delete";
    return base::Status();
  };
  for (int i = 0; i < 200 && !is_asked; ++i) world.loop.advance(10ms);
  REQUIRE(is_asked);
  Json freed = world.pod();
  freed["metadata"].set("finalizers", Json::array());
  world.api.put(client::resources::pods, freed);
  world.loop.advance(2s);
  CHECK(node.pods.size() == 0);
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
