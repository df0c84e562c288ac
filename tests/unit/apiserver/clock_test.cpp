// What a clock that is set forward must not do.
#include <catch2/catch.hpp>

#include "fixture.h"

using namespace skiff;
using namespace std::chrono_literals;
using test::ApiFixture;

TEST_CASE("events live an hour of real time, whatever the clock does") {
  ApiFixture api;
  base::TaskScope scope(api.loop);
  scope.spawn(api.server->run(scope.token()));
  const std::string path = "/api/v1/namespaces/default/events";
  auto add = [&](const std::string& name) {
    auto now = base::format_rfc3339(api.loop.now());
    auto made = api.call("POST", path,
                         R"({"metadata":{"name":")" + name +
                             R"(","namespace":"default"},"involvedObject":{"kind":"Pod","name":"p",
                             "namespace":"default"},"reason":"R","type":"Normal","firstTimestamp":")" +
                             now + R"(","lastTimestamp":")" + now + R"("})");
    REQUIRE(made.status == 201);
  };
  auto is_there = [&](const std::string& name) {
    return api.call("GET", path + "/" + name).status == 200;
  };
  add("early");
  api.loop.advance(10min);
  api.loop.jump_wall_clock(24h * 20'000);
  add("late");
  api.loop.advance(45min);
  CHECK(is_there("early"));
  api.loop.advance(10min);
  CHECK_FALSE(is_there("early"));
  CHECK(is_there("late"));
  api.loop.advance(11min);
  CHECK_FALSE(is_there("late"));
  scope.cancel();
  api.loop.run(scope.join());
}
