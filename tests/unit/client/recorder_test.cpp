#include <skiff/client/recorder.h>

#include "support/memory_api.h"
#include "support/sim_loop.h"

#include <catch2/catch.hpp>

using namespace skiff;
using namespace std::chrono_literals;
using client::EventType;
using client::resources::events;
using codec::Json;

namespace {

Json pod(std::string_view name) {
  Json metadata = Json::object(
      {{"name", name}, {"namespace", "default"}, {"uid", "u-1"}, {"resourceVersion", "7"}});
  return Json::object({{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", std::move(metadata)}});
}

struct Fixture {
  test::SimLoop loop;
  test::MemoryApi api{loop};
  std::unique_ptr<client::EventRecorder> recorder =
      client::make_recorder(api, loop, loop, "kubelet", "edge-1");
};

}  // namespace

TEST_CASE("an event names its object, source and time") {
  Fixture f;
  f.recorder->event(pod("web"), EventType::warning, "Failed", "no image", "spec.containers{web}");
  f.loop.run_ready();
  auto written = f.api.objects(events);
  REQUIRE(written.size() == 1);
  const Json& event = written[0];
  CHECK(event.at({"metadata", "namespace"}).as_string() == "default");
  CHECK(event.at({"metadata", "name"}).as_string() == "web.17979cfe362a0000");
  CHECK(event["type"].as_string() == "Warning");
  CHECK(event["reason"].as_string() == "Failed");
  CHECK(event["message"].as_string() == "no image");
  CHECK(event["count"].as_int() == 1);
  CHECK(event["firstTimestamp"].as_string() == "2023-11-14T22:13:20Z");
  CHECK(event.at({"source", "component"}).as_string() == "kubelet");
  CHECK(event.at({"source", "host"}).as_string() == "edge-1");
  CHECK(event["reportingComponent"].as_string() == "kubelet");
  CHECK(event.at({"involvedObject", "kind"}).as_string() == "Pod");
  CHECK(event.at({"involvedObject", "uid"}).as_string() == "u-1");
  CHECK(event.at({"involvedObject", "fieldPath"}).as_string() == "spec.containers{web}");
}

TEST_CASE("the event of a cluster-scoped object lives in default") {
  Fixture f;
  Json node = Json::object({{"apiVersion", "v1"}, {"kind", "Node"}});
  node["metadata"].set("name", "edge-1");
  f.recorder->event(node, EventType::normal, "NodeReady", "ready");
  f.loop.run_ready();
  CHECK(f.api.objects(events).at(0).at({"metadata", "namespace"}).as_string() == "default");
}

TEST_CASE("the same event again counts up, and is created anew when it has been forgotten") {
  Fixture f;
  f.recorder->event(pod("web"), EventType::normal, "Pulled", "m");
  f.loop.advance(5s);
  f.recorder->event(pod("web"), EventType::normal, "Pulled", "m");
  f.loop.run_ready();
  auto written = f.api.objects(events);
  REQUIRE(written.size() == 1);
  CHECK(written[0]["count"].as_int() == 2);
  CHECK(written[0]["lastTimestamp"].as_string() == "2023-11-14T22:13:25Z");
  f.api.erase(events, "default/" + std::string(written[0].at({"metadata", "name"}).as_string()));
  f.recorder->event(pod("web"), EventType::normal, "Pulled", "m");
  f.loop.run_ready();
  written = f.api.objects(events);
  REQUIRE(written.size() == 1);
  CHECK(written[0]["count"].as_int() == 3);
  CHECK(written[0]["firstTimestamp"].as_string() == "2023-11-14T22:13:20Z");
}

TEST_CASE("many similar events are combined into one") {
  Fixture f;
  for (int i = 0; i < 15; ++i)
    f.recorder->event(pod("web"), EventType::normal, "Pulled", "message " + std::to_string(i));
  f.loop.run_ready();
  auto written = f.api.objects(events);
  CHECK(written.size() == 10);
  int combined = 0;
  for (const Json& event : written)
    if (event["message"].as_string() == "(combined from similar events): message 14") {
      ++combined;
      CHECK(event["count"].as_int() == 6);
    }
  CHECK(combined == 1);
}

TEST_CASE("one object cannot flood: 25 at once, then one in five minutes") {
  Fixture f;
  for (int i = 0; i < 100; ++i) f.recorder->event(pod("web"), EventType::normal, "Pulled", "m");
  f.loop.run_ready();
  CHECK(f.api.writes == 25);
  CHECK(f.api.objects(events).at(0)["count"].as_int() == 25);
  f.recorder->event(pod("other"), EventType::normal, "Pulled", "m");
  f.loop.run_ready();
  CHECK(f.api.objects(events).size() == 2);
  f.loop.advance(5min);
  f.recorder->event(pod("web"), EventType::normal, "Pulled", "m");
  f.recorder->event(pod("web"), EventType::normal, "Pulled", "m");
  f.loop.run_ready();
  CHECK(f.api.writes == 27);
}

TEST_CASE("a server that is away gets the event later; a refusal drops it") {
  Fixture f;
  f.api.fault = [](std::string_view, client::Resource, std::string_view) {
    return base::unavailable("away");
  };
  f.recorder->event(pod("web"), EventType::normal, "Pulled", "m");
  f.loop.advance(15s);
  CHECK(f.api.objects(events).empty());
  f.api.fault = nullptr;
  f.loop.advance(10s);
  CHECK(f.api.objects(events).size() == 1);

  f.api.fault = [](std::string_view, client::Resource, std::string_view) {
    return base::invalid_argument("no");
  };
  f.recorder->event(pod("bad"), EventType::normal, "Pulled", "m");
  f.loop.run_ready();
  f.api.fault = nullptr;
  f.loop.advance(1h);
  CHECK(f.api.objects(events).size() == 1);
  CHECK(f.loop.idle());
}

TEST_CASE("a recorder that goes while the server is away leaves no timer behind") {
  Fixture f;
  f.api.fault = [](std::string_view, client::Resource, std::string_view) {
    return base::unavailable("away");
  };
  f.recorder->event(pod("web"), EventType::normal, "Pulled", "m");
  f.loop.run_ready();
  f.recorder.reset();
  f.loop.run_ready();
  CHECK(f.loop.idle());
}
