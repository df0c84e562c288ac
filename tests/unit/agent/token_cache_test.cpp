#include "agent/volumes/token_cache.h"

#include "support/memory_api.h"
#include "support/sim_loop.h"

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::agent;
using namespace std::chrono_literals;
using codec::Json;

TEST_CASE("tokens of pods are fetched anew by the time that has passed, whatever clocks say") {
  const auto jump = GENERATE(base::Duration(24h * 3650), base::Duration(-24h * 365 * 50));
  test::SimLoop loop;
  test::MemoryApi api(loop);
  int issued = 0;
  // The master's clock is a year ahead of the node's.
  api.answer = [&](client::Resource, const Json&) {
    Json answer = Json::object({{"spec", Json::object({{"expirationSeconds", 600}})}});
    answer["status"].set("token", "token-" + std::to_string(++issued));
    answer["status"].set("expirationTimestamp", base::format_rfc3339(loop.now() + 24h * 365));
    return answer;
  };
  TokenCache cache(api, loop);
  const TokenKey key{"robot", "vault", 600};
  Json pod = Json::object();
  pod["metadata"].set("namespace", "default");
  pod["metadata"].set("name", "p");
  pod["metadata"].set("uid", "u");
  auto fetch = [&] {
    auto tokens = loop.run(cache.fetch(pod, {key}));
    REQUIRE(tokens);
    REQUIRE(tokens->refresh_at);
    return tokens->values.at(key);
  };
  CHECK(fetch() == "token-1");
  loop.advance(60s);
  loop.jump_wall_clock(jump);
  CHECK(fetch() == "token-1");
  loop.advance(419s);
  CHECK(fetch() == "token-1");
  loop.advance(2s);
  CHECK(fetch() == "token-2");

  // The API refuses: the one that is there is given until it has ended.
  api.fault = [](std::string_view, client::Resource, std::string_view) {
    return base::unavailable("no master");
  };
  loop.advance(580s);
  CHECK(fetch() == "token-2");
  loop.advance(30s);
  CHECK_FALSE(loop.run(cache.fetch(pod, {key})));
}
