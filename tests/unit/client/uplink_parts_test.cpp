#include "client/limits.h"
#include "client/uplink/list_reader.h"
#include "client/uplink/plan_reconnect.h"

#include <skiff/base/random.h>
#include <skiff/base/strings.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <vector>

using namespace skiff;
using namespace std::chrono_literals;
using base::MonotonicTime;
using client::ListReader;
using client::ReconnectPlan;

namespace {

MonotonicTime at(base::Duration since_start) { return MonotonicTime{1'000'000'000} + since_start; }

base::Result<client::ObjectList> read_in_pieces(std::string_view text, std::size_t step) {
  ListReader reader;
  while (!text.empty()) {
    auto fed = reader.feed(text.substr(0, step));
    if (!fed.is_ok()) return fed;
    text.remove_prefix(std::min(step, text.size()));
  }
  return reader.finish();
}

}  // namespace

TEST_CASE("reconnect: every master is tried before the first wait") {
  ReconnectPlan plan(3, at(0s));
  CHECK(plan.first().master == 0);
  CHECK(plan.first().wait == 0s);
  auto next = plan.after_failure(at(0s), 0.5);
  CHECK(next.master == 1);
  CHECK(next.wait == 0s);
  next = plan.after_failure(at(0s), 0.5);
  CHECK(next.master == 2);
  CHECK(next.wait == 0s);
  next = plan.after_failure(at(0s), 0.5);
  CHECK(next.master == 0);
  CHECK(next.wait == client::kReconnectWaitMin / 2);
}

TEST_CASE("reconnect: waits grow with the outage, up to half a minute") {
  ReconnectPlan plan(1, at(0s));
  CHECK(plan.after_failure(at(10s), 0.999).wait <= 2500ms);
  CHECK(plan.after_failure(at(10s), 0.999).wait >= 2400ms);
  CHECK(plan.after_failure(at(10s), 0).wait == 0s);
  CHECK(plan.after_failure(at(1h), 0.999).wait <= 30s);
  CHECK(plan.after_failure(at(1h), 0.999).wait >= 29s);
}

TEST_CASE("reconnect: a good connection that is lost is made again with the same master") {
  ReconnectPlan plan(2, at(0s));
  (void)plan.after_failure(at(100s), 0.5);
  auto next = plan.after_loss(at(1h), 50min, 0.999);
  CHECK(next.master == 1);
  CHECK(next.wait <= client::kReconnectWaitMin);
  CHECK(plan.after_failure(at(1h), 0.5).wait == 0s);
}

TEST_CASE("reconnect: connections that end at once are no success") {
  ReconnectPlan plan(2, at(0s));
  auto now = at(0s);
  std::size_t attempts = 0;
  auto random = base::seeded_random(3);
  while (now < at(10min)) {
    auto next = plan.after_loss(now, 10ms, random->unit());
    CHECK(next.master == (attempts + 1) % 2);
    now = now + next.wait + 10ms;
    ++attempts;
  }
  CHECK(attempts < 120);
}

TEST_CASE("reconnect: a node whose place another board has taken waits long") {
  ReconnectPlan plan(2, at(0s));
  CHECK(plan.after_displacement(0).wait == client::kReconnectWaitMax / 2);
  CHECK(plan.after_displacement(0.999).wait <= client::kReconnectWaitMax);
  CHECK(plan.after_displacement(0.5).master == 0);
}

// 200 workers lose their master for a while: when is the last one back, and how many attempts come
// in the worst tenth of a second?
TEST_CASE("reconnect: two hundred workers come back soon and not all at once") {
  auto outage = GENERATE(0s, 1s, 5s, 15s);
  CAPTURE(outage.count());
  auto random = base::seeded_random(11);
  std::vector<std::int64_t> attempts;  // of all, in tenths of a second
  base::Duration last = 0s;
  for (int worker = 0; worker < 200; ++worker) {
    ReconnectPlan plan(1, at(-1h));
    auto now = at(0s);
    now = now + plan.after_loss(now, 1h, random->unit()).wait;
    while (now < at(outage)) {
      attempts.push_back((now - at(0s)) / 100ms);
      now = now + plan.after_failure(now, random->unit()).wait;
    }
    attempts.push_back((now - at(0s)) / 100ms);
    last = std::max(last, now - at(outage));
  }
  CHECK(last < 5s);
  std::int64_t most = 0;
  for (auto slot : attempts)
    most = std::max<std::int64_t>(most, std::count(attempts.begin(), attempts.end(), slot));
  CHECK(most <= 120);
}

TEST_CASE("list reader: items come out whole however the text is cut") {
  std::string text =
      "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"41\","
      "\"x\":[1]},\"items\":[";
  for (int i = 0; i < 3; ++i) {
    if (i != 0) text += ",\n ";
    text += base::concat("{\"metadata\":{\"name\":\"a", i, "\",\"resourceVersion\":\"", 10 + i,
                         "\"},\"data\":{\"tricky\":\"]}\\\"{[\\\\\",\"items\":[[{}],{\"b\":[]}]}}");
  }
  text += "],\"more\":{\"items\":[1]}}";
  for (std::size_t step : {1, 2, 7, 100000}) {
    auto list = read_in_pieces(text, step);
    REQUIRE(list.status().to_string() == "ok");
    CHECK(list->revision == 41);
    REQUIRE(list->items.size() == 3);
    CHECK(list->items[2].name() == "a2");
    CHECK(list->items[2].revision() == 12);
    const auto tree = list->items[2].parse();
    REQUIRE(tree);
    CHECK((*tree)["data"]["tricky"].as_string() == "]}\"{[\\");
  }
}

TEST_CASE("list reader: what is no list is an error, never half a list") {
  std::string head = "{\"metadata\":{\"resourceVersion\":\"41\"},\"items\":[";
  for (std::string text :
       {std::string(), std::string("{"), std::string("[]"), std::string("null"), head, head + "]",
        head + "{}]}", head + "1]}", head + "{\"metadata\":{}}]}",
        head + "{\"metadata\":{\"resourceVersion\":\"x\"}}]}", std::string("{\"items\":[]}"),
        std::string("{\"items\":7,\"metadata\":{\"resourceVersion\":\"41\"}}"),
        std::string("]]]]}}}}{{{{[[[[")}) {
    CAPTURE(text);
    CHECK_FALSE(read_in_pieces(text, 3).is_ok());
  }
  CHECK(read_in_pieces(head + "]}", 3).is_ok());
  std::string long_head = "{\"a\":\"" + std::string(100'000, 'x');
  CHECK(read_in_pieces(long_head, 1000).code() == base::Code::too_large);
}
