#include <skiff/scheduler/scheduler.h>

#include <skiff/client/informer.h>

#include "facts_for_tests.h"
#include "support/memory_api.h"
#include "support/sim_loop.h"

using namespace skiff;
using namespace std::chrono_literals;
using codec::Json;
namespace resources = client::resources;

namespace {

struct Fixture {
  test::SimLoop loop;
  test::MemoryApi api{loop};
  std::unique_ptr<base::Random> random = base::seeded_random(3);
  std::unique_ptr<scheduler::Scheduler> scheduler;
  base::TaskScope scope{loop};

  Fixture() {
    scheduler::SchedulerOptions options;
    options.client = &api;
    options.executor = &loop;
    options.timers = &loop;
    options.random = random.get();
    scheduler = scheduler::make_scheduler(options);
    scope.spawn(scheduler->run(scope.token()));
    loop.run_ready();
  }
  ~Fixture() {
    scope.cancel();
    loop.run(scope.join());
  }
  void add_node(std::string_view name, std::string_view cpu) {
    api.put(resources::nodes, test::node_json(name, cpu, "8Gi"));
    loop.run_ready();
  }
  void add_pod(std::string_view name, std::string_view cpu, std::string_view extra = "{}") {
    api.put(resources::pods, test::pod_json(name, cpu, "", extra));
    loop.run_ready();
  }
  std::string node_of(const std::string& name) {
    return std::string(
        api.object(resources::pods, "default/" + name).at({"spec", "nodeName"}).as_string());
  }
  Json condition(const std::string& name) {
    return api::find_condition(api.object(resources::pods, "default/" + name), "PodScheduled");
  }
  std::vector<std::string> events(std::string_view reason) {
    std::vector<std::string> messages;
    for (const Json& event : api.objects(resources::events))
      if (event["reason"].as_string() == reason)
        messages.emplace_back(event["message"].as_string());
    return messages;
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a pod is bound to a node and both are told") {
  Fixture f;
  f.add_node("edge-1", "2");
  f.add_pod("web", "500m");
  CHECK(f.node_of("web") == "edge-1");
  CHECK(f.events("Scheduled") == Lines{"Successfully assigned default/web to edge-1"});
}

TEST_CASE("a pod that fits nowhere says why, and is placed when a node comes") {
  Fixture f;
  f.add_pod("web", "500m");
  CHECK(f.events("FailedScheduling") == Lines{"no nodes available to schedule pods"});
  f.add_node("small", "100m");
  f.loop.advance(2s);
  std::string message =
      "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 "
      "Preemption is not helpful for scheduling.";
  CHECK(f.condition("web")["message"].as_string() == message);
  CHECK(f.condition("web")["reason"].as_string() == "Unschedulable");
  CHECK(f.condition("web")["status"].as_string() == "False");
  f.add_node("large", "4");
  f.loop.advance(11s);
  CHECK(f.node_of("web") == "large");
}

TEST_CASE("freed resources bring waiting pods back, higher priority first") {
  Fixture f;
  f.add_node("edge-1", "1");
  f.add_pod("first", "1");
  f.add_pod("low", "1");
  f.add_pod("high", "1", R"({"priority":10})");
  CHECK(f.node_of("low").empty());
  CHECK(f.node_of("high").empty());
  f.loop.advance(20s);
  f.api.erase(resources::pods, "default/first");
  f.loop.advance(20s);
  CHECK(f.node_of("high") == "edge-1");
  CHECK(f.node_of("low").empty());
  f.api.erase(resources::pods, "default/high");
  f.loop.advance(20s);
  CHECK(f.node_of("low") == "edge-1");
}

TEST_CASE("pods that ended free their node") {
  Fixture f;
  f.add_node("edge-1", "1");
  f.add_pod("job", "1");
  f.add_pod("next", "1");
  f.loop.advance(20s);
  Json ended = f.api.object(resources::pods, "default/job");
  ended["status"].set("phase", "Succeeded");
  f.api.put(resources::pods, std::move(ended));
  f.loop.advance(20s);
  CHECK(f.node_of("next") == "edge-1");
}

TEST_CASE("gated pods and pods of other schedulers are left alone") {
  Fixture f;
  f.add_node("edge-1", "4");
  f.add_pod("gated", "1", R"({"schedulingGates":[{"name":"example.com/wait"}]})");
  f.add_pod("foreign", "1", R"({"schedulerName":"mine"})");
  f.loop.advance(10s);
  CHECK(f.node_of("gated").empty());
  CHECK(f.node_of("foreign").empty());
  CHECK(f.condition("gated")["reason"].as_string() == "SchedulingGated");
  Json open = f.api.object(resources::pods, "default/gated");
  open["spec"].erase("schedulingGates");
  f.api.put(resources::pods, std::move(open));
  f.loop.advance(1s);
  CHECK(f.node_of("gated") == "edge-1");
}

TEST_CASE("many pods at once never overfill a node, whatever the watch has shown so far") {
  Fixture f;
  for (int i = 0; i < 4; ++i)
    f.api.put(resources::nodes, test::node_json("n" + std::to_string(i), "2", "8Gi"));
  for (int i = 0; i < 50; ++i)
    f.api.put(resources::pods, test::pod_json("p" + std::to_string(i), "500m", ""));
  f.loop.advance(30s);
  std::map<std::string, int> counts;
  for (int i = 0; i < 50; ++i) ++counts[f.node_of("p" + std::to_string(i))];
  CHECK(counts[""] == 34);
  for (int i = 0; i < 4; ++i) CHECK(counts["n" + std::to_string(i)] == 4);
}

TEST_CASE("a binding that fails is tried again and takes nothing meanwhile") {
  Fixture f;
  f.add_node("edge-1", "1");
  bool away = true;
  f.api.fault = [&](std::string_view verb, client::Resource resource, std::string_view) {
    if (away && verb == "create" && resource.resource == "pods")
      return base::unavailable("the disk is full");
    return base::Status::ok();
  };
  f.add_pod("web", "1");
  CHECK(f.node_of("web").empty());
  CHECK(f.events("FailedScheduling") == Lines{"binding rejected: the disk is full"});
  away = false;
  f.loop.advance(15s);
  CHECK(f.node_of("web") == "edge-1");
}

TEST_CASE("lost and expired watches lose no pod") {
  Fixture f;
  f.add_node("edge-1", "4");
  f.api.end_watches(base::Code::unavailable);
  f.api.put(resources::pods, test::pod_json("a", "1", ""));
  f.loop.advance(2s);
  f.api.end_watches(base::Code::expired);
  f.api.put(resources::pods, test::pod_json("b", "1", ""));
  f.loop.advance(5s);
  CHECK(f.node_of("a") == "edge-1");
  CHECK(f.node_of("b") == "edge-1");
}
