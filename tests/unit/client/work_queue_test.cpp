#include <skiff/client/work_queue.h>

#include "support/sim_loop.h"

#include <catch2/catch.hpp>

using namespace skiff;
using namespace std::chrono_literals;

namespace {

std::optional<std::string> take_now(test::SimLoop& loop, client::WorkQueue& queue) {
  if (queue.size() == 0) return std::nullopt;
  return loop.run(queue.take({}));
}

}  // namespace

TEST_CASE("a key that is added twice is given out once") {
  test::SimLoop loop;
  auto queue = client::make_work_queue(loop);
  queue->add("a");
  queue->add("b");
  queue->add("a");
  CHECK(queue->size() == 2);
  CHECK(loop.run(queue->take({})) == "a");
  CHECK(loop.run(queue->take({})) == "b");
  CHECK(queue->size() == 0);
}

TEST_CASE("a key that is added while it is worked on comes again after done") {
  test::SimLoop loop;
  auto queue = client::make_work_queue(loop);
  queue->add("a");
  CHECK(loop.run(queue->take({})) == "a");
  queue->add("a");
  CHECK(queue->size() == 0);
  queue->done("a");
  CHECK(take_now(loop, *queue) == "a");
  queue->done("a");
  CHECK(queue->size() == 0);
}

TEST_CASE("delayed keys come when due, the earliest of two delays wins") {
  test::SimLoop loop;
  auto queue = client::make_work_queue(loop);
  queue->add_after("late", 10s);
  queue->add_after("early", 5s);
  queue->add_after("late", 2s);
  queue->add_after("late", 20s);
  loop.advance(1900ms);
  CHECK(queue->size() == 0);
  loop.advance(200ms);
  CHECK(take_now(loop, *queue) == "late");
  queue->done("late");
  loop.advance(3s);
  CHECK(take_now(loop, *queue) == "early");
  loop.advance(60s);
  CHECK(queue->size() == 0);
}

TEST_CASE("failures double the delay up to its maximum, forget starts over") {
  test::SimLoop loop;
  auto queue = client::make_work_queue(loop);
  auto delay_ms = [&] {
    queue->add_rate_limited("a");
    auto start = loop.monotonic();
    CHECK(loop.run(queue->take({})) == "a");
    queue->done("a");
    return (loop.monotonic() - start).count() / 1'000'000;
  };
  CHECK(delay_ms() == 5);
  CHECK(delay_ms() == 10);
  CHECK(delay_ms() == 20);
  for (int i = 0; i < 40; ++i) delay_ms();
  CHECK(delay_ms() == 1'000'000);
  queue->forget("a");
  CHECK(delay_ms() == 5);
}

TEST_CASE("take ends when cancelled, and a queue with a waiting key may be destroyed") {
  test::SimLoop loop;
  auto queue = client::make_work_queue(loop);
  base::CancelSource cancel;
  loop.start_timer(1s, [cancel] { cancel.cancel(); });
  CHECK(loop.run(queue->take(cancel.token())) == std::nullopt);
  queue->add_after("a", 1s);
  queue.reset();
  loop.advance(2s);
  CHECK(loop.idle());
}
