// What the node uses: the forms of it, and the requests to the node that carry it.
#include "agent/streams/local_channel.h"
#include "agent/usage/plan_usage.h"
#include "agent_fixture.h"

using namespace skiff;
using namespace skiff::agent;
using codec::Json;

namespace {

UsageSnapshot two_pods() {
  UsageSnapshot snapshot;
  snapshot.node_name = "node-1";
  snapshot.taken_at = *base::parse_rfc3339("2026-01-02T03:04:05Z");
  snapshot.host.facts.memory_bytes = 1000;
  snapshot.host.facts.memory_available_bytes = 600;
  snapshot.host.facts.memory_free_bytes = 100;
  snapshot.host.facts.disk_bytes = 50;
  snapshot.host.facts.disk_available_bytes = 20;
  snapshot.host.cpu_ns = 2'500'000'000;
  PodSample web{"web", "default", "u1", *base::parse_rfc3339("2026-01-01T00:00:00Z"), {}};
  web.containers.push_back({"a", base::WallTime{1'500'000'000}, 1'000'000'001, 40, 30});
  web.containers.push_back({"b", base::WallTime{2'000'000'000}, 500'000'000, 4, 3});
  snapshot.pods = {web, {"idle", "kube-system", "u2", std::nullopt, {}}};
  return snapshot;
}

struct Exchanged {
  base::Status opened;
  Json head;
  std::string body;
};

base::Task<Exchanged> ask(LocalChannel* channel, std::string method, std::string path) {
  client::NodeRequest request;
  request.kind = client::NodeRequest::Kind::node;
  request.options = Json::object({{"method", method}, {"path", path}});
  Exchanged result;
  auto stream = co_await channel->open("node-1", std::move(request));
  if (!stream) {
    result.opened = stream.status();
    co_return result;
  }
  client::NodeFrame no_body;
  no_body.end = true;
  auto writing = (*stream)->write(std::move(no_body));
  (void)co_await std::move(writing);
  for (bool first = true;; first = false) {
    auto frame = co_await (*stream)->read();
    if (!frame || !frame->has_value()) break;
    if (first) {
      result.head = parse_or_fail((**frame).data);
    } else {
      result.body += (**frame).data;
    }
    if ((**frame).end) break;
  }
  co_return result;
}

struct RunningNode {
  RunningNode() {
    channel.start();
    world.create(R"({"containers":[{"name":"web","image":"app:1"}]})");
    world.loop.advance(1s);
    REQUIRE(world.phase() == "Running");
  }
  ~RunningNode() { world.loop.run(channel.stop()); }
  Exchanged run(std::string method, std::string path) {
    return world.loop.run(ask(&channel, std::move(method), std::move(path)));
  }
  World world;
  Node node{world};
  LocalChannel channel{node.context, node.pods};
};

}  // namespace

TEST_CASE("the processor's time and the start of the host are read from /proc/stat") {
  HostSample host;
  take_proc_stat("cpu  10 20 30 1000 2000 5 6 7 8 9\ncpu0 1 1 1 1\nctxt 5\nbtime 1700000000\n", 100,
                 host);
  CHECK(host.cpu_ns == 71 * 10'000'000ULL);
  CHECK(host.booted_at.unix_seconds() == 1'700'000'000);
  HostSample nothing;
  take_proc_stat("cpu x\nbtime\n", 100, nothing);
  take_proc_stat("cpu 1 2 3", 0, nothing);
  CHECK(nothing.cpu_ns == 0);
}

TEST_CASE("a summary has the node and every pod with the sum of its containers") {
  const Json summary = plan_summary(two_pods());
  const Json& node = summary["node"];
  CHECK(node["nodeName"].as_string() == "node-1");
  CHECK(node["cpu"]["usageCoreNanoSeconds"].as_int() == 2'500'000'000);
  CHECK(node["memory"]["usageBytes"].as_int() == 900);
  CHECK(node["memory"]["workingSetBytes"].as_int() == 400);
  CHECK(node["memory"]["availableBytes"].as_int() == 600);
  CHECK(node["fs"]["usedBytes"].as_int() == 30);
  REQUIRE(summary["pods"].size() == 2);
  const Json& web = summary["pods"].items()[0];
  CHECK(web["podRef"]["uid"].as_string() == "u1");
  CHECK(web["startTime"].as_string() == "2026-01-01T00:00:00Z");
  CHECK(web["cpu"]["usageCoreNanoSeconds"].as_int() == 1'500'000'001);
  CHECK(web["memory"]["workingSetBytes"].as_int() == 33);
  CHECK(web["containers"].items()[1]["name"].as_string() == "b");
  CHECK(web["containers"].items()[1]["cpu"]["time"].as_string() == "2026-01-02T03:04:05Z");
  CHECK(summary["pods"].items()[1]["containers"].size() == 0);
  CHECK(summary["pods"].items()[1]["startTime"].is_null());
}

TEST_CASE("the metrics have their labels, values in seconds and the time of the look") {
  const auto text = plan_resource_metrics(two_pods());
  const std::string time = " 1767323045000\n";
  for (const std::string line :
       {"container_cpu_usage_seconds_total{container=\"a\",namespace=\"default\",pod=\"web\"} "
        "1.000000001",
        "container_cpu_usage_seconds_total{container=\"b\",namespace=\"default\",pod=\"web\"} 0.5",
        "container_memory_working_set_bytes{container=\"a\",namespace=\"default\",pod=\"web\"} 30",
        "container_start_time_seconds{container=\"a\",namespace=\"default\",pod=\"web\"} 1.5",
        "node_cpu_usage_seconds_total 2.5", "node_memory_working_set_bytes 400",
        "pod_cpu_usage_seconds_total{namespace=\"default\",pod=\"web\"} 1.500000001",
        "pod_memory_working_set_bytes{namespace=\"kube-system\",pod=\"idle\"} 0"}) {
    INFO(line);
    CHECK(text.find("\n" + line + time) != std::string::npos);
  }
  CHECK(text.find("\nresource_scrape_error 0\n") != std::string::npos);
  auto incomplete = two_pods();
  incomplete.is_incomplete = true;
  CHECK(plan_resource_metrics(incomplete).find("\nresource_scrape_error 1\n") != std::string::npos);
}

TEST_CASE("a node answers requests to itself") {
  RunningNode node;
  auto health = node.run("GET", "/healthz?verbose");
  CHECK(health.head["status"].as_int() == 200);
  CHECK(health.body == "ok");
  const Json summary = parse_or_fail(node.run("GET", "/stats/summary").body);
  CHECK(summary["node"]["memory"]["availableBytes"].as_int() > 0);
  REQUIRE(summary["pods"].size() == 1);
  CHECK(
      summary["pods"].items()[0]["containers"].items()[0]["cpu"]["usageCoreNanoSeconds"].as_int() ==
      1'000'000);
  CHECK(node.run("GET", "/metrics/resource").body.find("pod=\"web\"} 0.001 ") != std::string::npos);
  const Json pods = parse_or_fail(node.run("GET", "/pods").body);
  CHECK(pods["kind"].as_string() == "PodList");
  CHECK(pods["items"].items()[0]["status"]["phase"].as_string() == "Running");
  auto head = node.run("HEAD", "/pods");
  CHECK(head.head["status"].as_int() == 200);
  CHECK(head.body.empty());
  CHECK(node.run("GET", "/run/default/web").head["status"].as_int() == 404);
  CHECK(node.run("POST", "/healthz").head["status"].as_int() == 405);
}
