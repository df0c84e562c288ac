#include "agent/node/node_reporter.h"
#include "agent_fixture.h"

using namespace skiff;
using namespace skiff::agent;
using codec::Json;

namespace {

base::Task<void> ignore_cidr(std::string) { co_return; }

// The reporter with the watch on its Node, as the agent has them.
struct Reporting {
  World world;
  Node node{world};
  NodeReporter reporter{node.context, HostFacts{}, ignore_cidr};
  std::unique_ptr<client::Informer> informer;
  base::TaskScope scope{world.loop};

  Reporting() {
    client::ListOptions own;
    own.field_selector = "metadata.name=node-1";
    informer = client::make_informer(world.api, world.loop, client::resources::nodes, own, {});
    informer->add_handler([this](const auto&, const auto& after) { reporter.on_node(after); });
    scope.spawn(informer->run(scope.token()));
    scope.spawn(reporter.run_status(scope.token()));
    world.loop.advance(1s);
  }
  ~Reporting() {
    scope.cancel();
    world.loop.run(scope.join());
  }
  Json object() const { return world.api.object(client::resources::nodes, "node-1"); }
  std::string ready() const {
    const Json present = object();
    return std::string(api::find_condition(present, "Ready")["status"].as_string());
  }
};

}  // namespace

TEST_CASE("a node that the master gave up says at once that it is well") {
  Reporting r;
  REQUIRE(r.ready() == "True");
  Json lost = r.object();
  lost["spec"].set("podCIDR", "10.42.0.0/24");
  Json conditions = Json::array();
  const Json before = lost["status"]["conditions"];
  for (const auto& item : before.items()) {
    Json condition = item;
    condition.set("status", "Unknown");
    conditions.push_back(std::move(condition));
  }
  lost["status"].set("conditions", std::move(conditions));
  r.world.api.put(client::resources::nodes, lost);
  REQUIRE(r.ready() == "Unknown");
  r.world.loop.advance(1s);
  CHECK(r.ready() == "True");
}

TEST_CASE("a node that joins with a podCIDR is ready by its first word") {
  World world;
  Node node{world};
  Json joined = plan_node(NodeReporter::make_input(node.context.options, HostFacts{}));
  joined.set("spec", Json::object({{"podCIDR", "10.42.7.0/24"}}));
  world.api.put(client::resources::nodes, joined);
  std::string told;
  NodeReporter* self = nullptr;
  NodeReporter reporter(node.context, HostFacts{}, [&](std::string cidr) -> base::Task<void> {
    told = std::move(cidr);
    co_await base::sleep(world.loop, 300ms, {});  // what a network takes
    self->set_not_ready("");
  });
  self = &reporter;
  reporter.set_not_ready("no network yet");
  const auto writes = world.api.writes;
  base::TaskScope scope(world.loop);
  scope.spawn(reporter.run_status(scope.token()));
  world.loop.advance(10s);
  CHECK(told == "10.42.7.0/24");
  CHECK(world.api.writes == writes + 1);
  const Json present = world.api.object(client::resources::nodes,
                                        std::string(joined["metadata"]["name"].as_string()));
  CHECK(api::find_condition(present, "Ready")["status"].as_string() == "True");
  scope.cancel();
  world.loop.run(scope.join());
}

TEST_CASE("a node's own writes make it write no more, an idle one writes each half hour") {
  Reporting r;
  Json assigned = r.object();
  assigned["spec"].set("podCIDR", "10.42.0.0/24");
  r.world.api.put(client::resources::nodes, assigned);
  r.world.loop.advance(1s);
  const auto writes = r.world.api.writes;
  r.reporter.set_node_ip("192.0.2.9");
  r.world.loop.advance(60s);
  CHECK(r.world.api.writes == writes + 1);
  const Json before = r.object();
  r.world.loop.advance(29min);
  CHECK(r.world.api.writes == writes + 2);
  const Json after = r.object();
  CHECK(after["status"]["addresses"] == before["status"]["addresses"]);
  CHECK(after["status"]["conditions"] != before["status"]["conditions"]);
}

TEST_CASE("a node is as large as who is asked in the kernel's place says") {
  Reporting r;
  r.node.options.host_facts = [] {
    HostFacts facts;
    facts.cpus = 3;
    facts.memory_bytes = facts.memory_available_bytes = 2ll << 30;
    return facts;
  };
  r.world.loop.advance(11s);
  const Json node = r.object();
  CHECK(node["status"]["capacity"]["cpu"].as_string() == "3");
  CHECK(node["status"]["capacity"]["memory"].as_string() == "2097152Ki");
}
