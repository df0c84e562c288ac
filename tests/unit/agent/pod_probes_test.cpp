#include "agent_fixture.h"

using namespace skiff;
using namespace skiff::agent;
using codec::Json;

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

TEST_CASE("a probe that could not ask counts neither way") {
  World world;
  Node node(world);
  world.prober.answer = [](const std::string&) { return ProbeResult{false, "no such file", true}; };
  world.create(R"({"containers":[{"name":"web","image":"app:1",
      "livenessProbe":{"exec":{"command":["/missing"]},"periodSeconds":1,"failureThreshold":1}}]})");
  world.loop.advance(20s);
  CHECK(world.prober.asked.size() > 10);
  CHECK(world.runtime.starts_of("web") == 1);
  CHECK(world.events.count("Warning Unhealthy Liveness probe errored and resulted in unknown "
                           "state: no such file") >= 1);
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
