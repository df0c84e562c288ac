#include <catch2/catch.hpp>

#include "fixture.h"

using namespace skiff;
using codec::Json;
using test::ApiFixture;
using test::CollectingWriter;

namespace {

const std::string kMaps = "/api/v1/namespaces/default/configmaps";

base::Task<void> run_stream(http::StreamTask& stream, CollectingWriter& writer) {
  auto task = stream(writer);
  co_await std::move(task);
}

std::vector<Json> events_of(const std::string& text) {
  std::vector<Json> events;
  std::size_t at = 0;
  while (at < text.size()) {
    auto end = text.find('\n', at);
    auto event = codec::parse_json(std::string_view(text).substr(at, end - at));
    REQUIRE(event.is_ok());
    events.push_back(std::move(*event));
    at = end + 1;
  }
  return events;
}

// Runs what is ready, then ends the watch and returns its events.
struct Watch {
  Watch(ApiFixture& a, const std::string& query, const std::string& accept = {}) : api(a) {
    auto request = api.request("GET", kMaps + "?watch=1" + query);
    if (!accept.empty()) request.headers.set("Accept", accept);
    answer = api.send(std::move(request));
    REQUIRE(answer.status == 200);
    REQUIRE(static_cast<bool>(answer.stream));
    base::spawn_detached(api.loop, run_stream(answer.stream, writer));
    api.loop.run_ready();
  }
  std::vector<Json> finish() {
    api.loop.run_ready();
    writer.source.cancel();
    api.loop.run_ready();
    return events_of(writer.text);
  }
  ApiFixture& api;
  test::Answer answer;
  CollectingWriter writer;
};

std::string map(const std::string& name, const std::string& label) {
  return R"({"metadata":{"name":")" + name + R"(","labels":{"l":")" + label + R"("}}})";
}

}  // namespace

TEST_CASE("a watch sends what is there, then what changes") {
  ApiFixture api;
  REQUIRE(api.call("POST", kMaps, map("a", "1")).status == 201);
  Watch watch(api, "");
  REQUIRE(api.call("POST", kMaps, map("b", "1")).status == 201);
  REQUIRE(api.call("DELETE", kMaps + "/a").status == 200);
  auto events = watch.finish();
  REQUIRE(events.size() == 3);
  CHECK(events[0]["type"].as_string() == "ADDED");
  CHECK(events[0]["object"]["metadata"]["name"].as_string() == "a");
  CHECK(events[1]["object"]["metadata"]["name"].as_string() == "b");
  CHECK(events[2]["type"].as_string() == "DELETED");
}

TEST_CASE("an object that enters or leaves a selection is added or deleted") {
  ApiFixture api;
  auto list = api.call("GET", kMaps).json();
  auto revision = std::string(list["metadata"]["resourceVersion"].as_string());
  Watch watch(api, "&labelSelector=l%3D1&resourceVersion=" + revision);
  REQUIRE(api.call("POST", kMaps, map("a", "2")).status == 201);
  auto relabel = [&](const std::string& label) {
    auto patched =
        api.call("PATCH", kMaps + "/a", R"({"metadata":{"labels":{"l":")" + label + R"("}}})",
                 "application/merge-patch+json");
    REQUIRE(patched.status == 200);
  };
  relabel("1");
  relabel("3");
  auto events = watch.finish();
  REQUIRE(events.size() == 2);
  CHECK(events[0]["type"].as_string() == "ADDED");
  CHECK(events[1]["type"].as_string() == "DELETED");
  CHECK(events[1]["object"]["metadata"]["labels"]["l"].as_string() == "1");
}

TEST_CASE("sendInitialEvents ends the initial objects with an annotated bookmark") {
  ApiFixture api;
  REQUIRE(api.call("POST", kMaps, map("a", "1")).status == 201);
  Watch watch(api,
              "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
  auto events = watch.finish();
  REQUIRE(events.size() == 2);
  CHECK(events[1]["type"].as_string() == "BOOKMARK");
  CHECK(events[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"].as_string() ==
        "true");
  auto refused = api.call("GET", kMaps + "?watch=1&sendInitialEvents=true");
  CHECK(refused.status == 422);
}

TEST_CASE("a watch ends after timeoutSeconds with a last bookmark") {
  ApiFixture api;
  Watch watch(api, "&timeoutSeconds=5&allowWatchBookmarks=true");
  api.loop.advance(std::chrono::seconds(6));
  auto events = events_of(watch.writer.text);
  REQUIRE(events.size() == 1);
  CHECK(events[0]["type"].as_string() == "BOOKMARK");
}

TEST_CASE("a watch from before the ring gets 410 as an event") {
  watch::HubOptions hub_options;
  hub_options.ring_events_max = 64;
  ApiFixture api(nullptr, nullptr, hub_options);
  for (std::size_t i = 0; i < hub_options.ring_events_max; ++i) {
    auto answer =
        api.call("PUT", "/api/v1/namespaces/default/endpoints/e",
                 R"({"metadata":{"name":"e","labels":{"n":")" + std::to_string(i) + R"("}}})");
    REQUIRE(answer.status < 300);
  }
  Watch watch(api, "&resourceVersion=1");
  auto events = watch.finish();
  REQUIRE(events.size() == 1);
  CHECK(events[0]["type"].as_string() == "ERROR");
  CHECK(events[0]["object"]["code"].as_int() == 410);
  CHECK(events[0]["object"]["reason"].as_string() == "Expired");
}

TEST_CASE("tables are watched row by row") {
  ApiFixture api;
  Watch watch(api, "", "application/json;as=Table;v=v1;g=meta.k8s.io");
  REQUIRE(api.call("POST", kMaps, map("a", "1")).status == 201);
  auto events = watch.finish();
  REQUIRE(events.size() == 1);
  CHECK(events[0]["object"]["kind"].as_string() == "Table");
  CHECK(events[0]["object"]["rows"].items()[0]["cells"].items()[0].as_string() == "a");
}
