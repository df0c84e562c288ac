#include <skiff/base/async.h>

#include "support/sim_loop.h"

#include <catch2/catch.hpp>

using namespace skiff;
using base::Task;

namespace {

Task<int> one() { co_return 1; }

Task<int> sum_many(int count) {
  int total = 0;
  for (int i = 0; i < count; ++i) total += co_await one();
  co_return total;
}

Task<int> await_future(base::Future<int> future) {
  int value = co_await future;
  co_return value;
}

Task<bool> wait_notified(base::Notifier& notifier, base::CancelToken cancel) {
  bool notified = co_await notifier.wait(cancel);
  co_return notified;
}

Task<void> sleep_and_count(base::Timers& timers, base::CancelToken cancel, int* elapsed,
                           int* cancelled) {
  bool full = co_await base::sleep(timers, base::Duration(std::chrono::seconds(5)), cancel);
  ++*(full ? elapsed : cancelled);
}

}  // namespace

TEST_CASE("a loop of awaits that complete at once does not grow the stack") {
  test::SimLoop loop;
  CHECK(loop.run(sum_many(1'000'000)) == 1'000'000);
}

TEST_CASE("a one-shot gives its first value, before or after it is awaited") {
  test::SimLoop loop;
  base::OneShot<int> early;
  CHECK(early.set(7));
  CHECK_FALSE(early.set(8));
  CHECK(loop.run(await_future(early.future())) == 7);

  base::OneShot<int> late;
  loop.start_timer(std::chrono::seconds(1), [late] { late.set(9); });
  CHECK(loop.run(await_future(late.future())) == 9);
}

TEST_CASE("a notification before the wait is not lost, and notifications merge") {
  test::SimLoop loop;
  base::Notifier notifier;
  base::CancelSource cancel;
  notifier.notify();
  notifier.notify();
  CHECK(loop.run(wait_notified(notifier, cancel.token())));
  loop.start_timer(std::chrono::seconds(1), [cancel] { cancel.cancel(); });
  CHECK_FALSE(loop.run(wait_notified(notifier, cancel.token())));
}

TEST_CASE("a scope joins after its tasks, and cancel wakes sleepers") {
  test::SimLoop loop;
  base::TaskScope scope(loop);
  int elapsed = 0, cancelled = 0;
  base::CancelSource never;
  scope.spawn(sleep_and_count(loop, never.token(), &elapsed, &cancelled));
  scope.spawn(sleep_and_count(loop, scope.token(), &elapsed, &cancelled));
  loop.advance(std::chrono::seconds(1));
  scope.cancel();
  loop.run_ready();
  CHECK(cancelled == 1);
  loop.run(scope.join());
  CHECK(elapsed == 1);
}

TEST_CASE("a queue is bounded, and gives what was queued after it was closed") {
  test::SimLoop loop;
  base::AsyncQueue<int> queue(2);
  CHECK(queue.try_push(1));
  CHECK(queue.try_push(2));
  CHECK_FALSE(queue.try_push(3));
  queue.close();
  CHECK(loop.run(queue.pop({})) == 1);
  CHECK(loop.run(queue.pop({})) == 2);
  CHECK(loop.run(queue.pop({})) == std::nullopt);
}

TEST_CASE("a cancelled parent cancels its child, and a dropped callback stays silent") {
  base::CancelSource parent;
  auto child = base::CancelSource::child_of(parent.token());
  int calls = 0;
  base::CancelCallback kept(child.token(), [&] { ++calls; });
  base::CancelCallback dropped(child.token(), [&] { calls += 100; });
  dropped.reset();
  parent.cancel();
  CHECK(child.is_cancelled());
  CHECK(calls == 1);
  base::CancelCallback late(child.token(), [&] { ++calls; });
  CHECK(calls == 2);
}
