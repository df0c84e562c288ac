#include "agent_fixture.h"

using namespace skiff;
using namespace skiff::agent;
using codec::Json;
using test::Program;

namespace {
constexpr const char* kPlain = R"({"containers":[{"name":"web","image":"app:1"}]})";
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
