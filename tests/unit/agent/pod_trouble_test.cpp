#include "agent_fixture.h"

using namespace skiff;
using namespace skiff::agent;
using codec::Json;

namespace {
constexpr const char* kPlain = R"({"containers":[{"name":"web","image":"app:1"}]})";
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

TEST_CASE("what init containers did in a lost sandbox is done again") {
  World world;
  Node node(world);
  world.create(R"({"initContainers":[{"name":"setup","image":"app:1"}],
      "containers":[{"name":"web","image":"app:1"}]})");
  world.loop.advance(1s);
  world.runtime.end_process(world.runtime.id_of("setup"), 0);
  world.loop.advance(1s);
  REQUIRE(world.phase() == "Running");
  world.runtime.lose_sandbox(std::string(world.pod()["metadata"]["uid"].as_string()));
  world.loop.advance(5s);
  CHECK(world.runtime.starts_of("setup") == 2);
  CHECK(world.runtime.starts_of("web") == 1);
  world.runtime.end_process(world.runtime.id_of("setup"), 0);
  world.loop.advance(30s);
  CHECK(world.runtime.starts_of("web") == 2);
  CHECK(world.phase() == "Running");
}

TEST_CASE("they are done again by the next agent, too, when the one before did not come to it") {
  World world;
  auto node = std::make_unique<Node>(world);
  world.create(R"({"initContainers":[{"name":"setup","image":"app:1"}],
      "containers":[{"name":"web","image":"app:1"}]})");
  world.loop.advance(1s);
  world.runtime.end_process(world.runtime.id_of("setup"), 0);
  world.loop.advance(1s);
  REQUIRE(world.phase() == "Running");
  world.runtime.fault = [](std::string_view call, const std::string&) {
    return call == "create_container" ? base::unavailable("not now") : base::Status();
  };
  world.runtime.lose_sandbox(std::string(world.pod()["metadata"]["uid"].as_string()));
  world.loop.advance(5s);
  REQUIRE(world.runtime.pods().size() == 1);
  node.reset();
  world.runtime.fault = nullptr;
  node = std::make_unique<Node>(world);
  world.loop.advance(30s);
  CHECK(world.runtime.starts_of("setup") == 2);
  CHECK(world.runtime.starts_of("web") == 1);
  world.runtime.end_process(world.runtime.id_of("setup"), 0);
  world.loop.advance(30s);
  CHECK(world.runtime.starts_of("web") == 2);
}

TEST_CASE("a pod that the node does not admit fails, and holds nothing") {
  World world;
  Node node(world);
  node.hooks.admit = [](const Json&) { return Refusal{"OutOfcpu", "too much"}; };
  world.create(kPlain);
  world.loop.advance(1s);
  CHECK(world.phase() == "Failed");
  CHECK(world.pod()["status"]["reason"].as_string() == "OutOfcpu");
  CHECK(world.pod()["status"]["message"].as_string() == "Pod was rejected: too much");
  CHECK(world.runtime.starts_of("web") == 0);
  CHECK(node.pods.taken().empty());
}

TEST_CASE("missing pull secrets are an event") {
  World world;
  Node node(world);
  world.create(R"({"imagePullSecrets":[{"name":"gone"}],
      "containers":[{"name":"web","image":"app:2"}]})");
  world.loop.advance(1s);
  CHECK(world.events.count("Warning FailedToRetrieveImagePullSecret Unable to retrieve some image "
                           "pull secrets (gone); attempting to pull the image may not succeed.") >=
        1);
}
