#include "support/sim_loop.h"

#include <skiff/base/strings.h>
#include <skiff/watch/hub.h>

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::watch;

namespace {

struct World {
  explicit World(HubOptions options = {}) {
    auto made = make_hub(*store, options, nullptr);
    REQUIRE(made);
    hub = std::move(*made);
  }
  Revision put(std::string key, std::string_view value) {
    store::Write write;
    write.key = std::move(key);
    write.value = base::SharedBytes(value);
    auto committed = loop.run(store->commit(std::move(write)));
    REQUIRE(committed);
    return *committed;
  }
  Revision remove(std::string key) {
    store::Write write;
    write.op = store::Write::Op::remove;
    write.key = std::move(key);
    auto committed = loop.run(store->commit(std::move(write)));
    REQUIRE(committed);
    return *committed;
  }
  std::unique_ptr<Subscription> subscribe(std::string prefix, Revision from) {
    auto made = hub->subscribe(std::move(prefix), from);
    REQUIRE(made);
    return std::move(*made);
  }
  Subscription::Batch next(Subscription& subscription, std::size_t limit = 100) {
    auto batch = loop.run(subscription.next(limit, {}));
    REQUIRE(batch);
    return std::move(*batch);
  }

  test::SimLoop loop;
  std::unique_ptr<store::Store> store = store::make_memory_store(loop);
  std::unique_ptr<Hub> hub;
};

struct Waiting {
  int batches = 0;
  Subscription::Batch last;
  base::Status ended;
};

base::Task<void> follow(Subscription* subscription, base::CancelToken cancel, Waiting* waiting) {
  for (;;) {
    auto batch = co_await subscription->next(100, cancel);
    if (!batch.is_ok()) {
      waiting->ended = batch.status();
      co_return;
    }
    ++waiting->batches;
    waiting->last = std::move(*batch);
  }
}

base::Task<void> wait_for(Hub* hub, Revision revision, base::CancelToken cancel,
                          std::optional<base::Result<Revision>>* seen) {
  auto snapshot = co_await hub->at_least(revision, cancel);
  if (snapshot.is_ok()) {
    seen->emplace(snapshot->revision());
  } else {
    seen->emplace(snapshot.status());
  }
}

}  // namespace

TEST_CASE("a snapshot stays as it was while the store goes on") {
  World world;
  world.put("/core/pods/a/1", "one");
  Snapshot before = world.hub->snapshot();
  world.put("/core/pods/a/1", "two");
  world.remove("/core/pods/a/1");
  REQUIRE(before.get("/core/pods/a/1"));
  CHECK(before.get("/core/pods/a/1")->value.view() == "one");
  CHECK(before.revision() == 1);
  CHECK_FALSE(world.hub->snapshot().get("/core/pods/a/1"));
  CHECK(world.hub->snapshot().revision() == 3);
}

TEST_CASE("a subscription gets the changes under its prefix in order, with the values before") {
  World world;
  auto subscription = world.subscribe("/core/pods/", 0);
  world.put("/core/pods/a/1", "one");
  world.put("/core/secrets/a/1", "other");
  world.put("/core/pods/a/1", "two");
  world.remove("/core/pods/a/1");
  auto batch = world.next(*subscription);
  REQUIRE(batch.changes.size() == 3);
  CHECK(batch.upto == 4);
  CHECK(batch.changes[0]->type == Change::Type::added);
  CHECK(batch.changes[0]->previous.empty());
  CHECK(batch.changes[1]->type == Change::Type::modified);
  CHECK(batch.changes[1]->value.view() == "two");
  CHECK(batch.changes[1]->previous.view() == "one");
  CHECK(batch.changes[1]->revision == 3);
  CHECK(batch.changes[2]->type == Change::Type::removed);
  CHECK(batch.changes[2]->value.view() == "two");
}

TEST_CASE("a limit splits a batch and nothing is lost or repeated") {
  World world;
  auto subscription = world.subscribe("/k/", 0);
  for (int i = 0; i < 25; ++i) world.put(base::concat("/k/", i), "x");
  Revision expected = 1;
  for (int i = 0; i < 3; ++i) {
    auto batch = world.next(*subscription, 10);
    for (const auto& change : batch.changes) CHECK(change->revision == expected++);
    CHECK(batch.upto == expected - 1);
  }
  CHECK(expected == 26);
}

TEST_CASE("a subscription resumes from the middle of the ring") {
  World world;
  for (int i = 0; i < 10; ++i) world.put("/k/a", "x");
  auto subscription = world.subscribe("/k/", 7);
  auto batch = world.next(*subscription);
  REQUIRE(batch.changes.size() == 3);
  CHECK(batch.changes[0]->revision == 8);
}

TEST_CASE("changes under other prefixes wake nobody, but move the position") {
  World world;
  Waiting waiting;
  base::CancelSource stop;
  auto subscription = world.subscribe("/core/pods/", 0);
  base::spawn_detached(world.loop, follow(subscription.get(), stop.token(), &waiting));
  world.loop.run_ready();
  for (int i = 0; i < 50; ++i) world.put("/core/secrets/a/1", "x");
  world.put("/core/podsx", "x");
  CHECK(waiting.batches == 0);
  CHECK(subscription->position() == 51);
  subscription->nudge();
  world.loop.run_ready();
  CHECK(waiting.batches == 1);
  CHECK(waiting.last.changes.empty());
  CHECK(waiting.last.upto == 51);
  world.put("/core/pods/a/1", "x");
  world.loop.run_ready();
  CHECK(waiting.batches == 2);
  CHECK(waiting.last.changes.size() == 1);
  stop.cancel();
  world.loop.run_ready();
  CHECK(waiting.ended.code() == base::Code::cancelled);
}

TEST_CASE("an idle subscription does not expire when foreign changes fill the ring") {
  HubOptions options;
  options.ring_events_max = 8;
  World world(options);
  auto idle = world.subscribe("/core/pods/", 0);
  for (int i = 0; i < 100; ++i) world.put("/core/secrets/a/1", "x");
  world.put("/core/pods/a/1", "x");
  auto batch = world.next(*idle);
  CHECK(batch.changes.size() == 1);
  CHECK(batch.upto == 101);
}

TEST_CASE("who falls behind the ring is told so, and so is who comes too late") {
  HubOptions options;
  options.ring_events_max = 8;
  World world(options);
  auto slow = world.subscribe("/k/", 0);
  for (int i = 0; i < 9; ++i) world.put("/k/a", "x");
  CHECK(world.hub->oldest() == 1);
  CHECK(world.loop.run(slow->next(10, {})).code() == base::Code::expired);
  CHECK(world.hub->subscribe("/k/", 0).status().code() == base::Code::expired);
  CHECK(world.hub->subscribe("/k/", 1));
}

TEST_CASE("changes since a revision are had without waiting, until the ring has dropped them") {
  HubOptions options;
  options.ring_events_max = 8;
  World world(options);
  CHECK(world.hub->changes_after("/k/", 0)->changes.empty());
  world.put("/k/a", "x");
  world.put("/other", "y");
  world.put("/k/b", "z");
  auto batch = world.hub->changes_after("/k/", 1);
  REQUIRE(batch.is_ok());
  REQUIRE(batch->changes.size() == 1);
  CHECK(batch->changes[0]->key == "/k/b");
  CHECK(batch->upto == 3);
  CHECK(world.hub->changes_after("/k/", 3)->changes.empty());
  for (int i = 0; i < 9; ++i) world.put("/k/a", "x");
  CHECK(world.hub->changes_after("/k/", 3).status().code() == base::Code::expired);
}

TEST_CASE("the ring is bounded in bytes") {
  HubOptions options;
  options.ring_bytes_max = 64 * 1024;
  World world(options);
  std::string value(4096, 'x');
  for (int i = 0; i < 100; ++i) world.put("/k/a", value);
  CHECK(world.hub->oldest() >= 84);
  CHECK(world.hub->oldest() <= 90);
}

TEST_CASE("waiting for a revision ends when it is visible or cancelled") {
  World world;
  base::CancelSource stop;
  std::optional<base::Result<Revision>> second;
  std::optional<base::Result<Revision>> far;
  base::spawn_detached(world.loop, wait_for(world.hub.get(), 2, {}, &second));
  base::spawn_detached(world.loop, wait_for(world.hub.get(), 9, stop.token(), &far));
  world.put("/k/a", "x");
  world.loop.run_ready();
  CHECK_FALSE(second.has_value());
  world.put("/k/b", "x");
  world.loop.run_ready();
  REQUIRE(second.has_value());
  CHECK(second->value() == 2);
  stop.cancel();
  world.loop.run_ready();
  REQUIRE(far.has_value());
  CHECK(far->code() == base::Code::cancelled);
}

TEST_CASE("a subscription outlives its hub, the store's events go on") {
  World world;
  auto subscription = world.subscribe("/k/", 0);
  world.hub.reset();
  world.put("/k/a", "x");
  CHECK(world.next(*subscription).changes.size() == 1);
}

TEST_CASE("a tracked prefix has moved when its writer hears that it is done") {
  World world;
  world.put("/rbac/roles/a", "1");
  auto latest = world.hub->track("/rbac/");
  CHECK(*latest == 0);
  world.put("/core/pods/a/1", "one");
  world.put("/rbac", "no");
  CHECK(*latest == 0);
  auto revision = world.put("/rbac/roles/a", "2");
  CHECK(*latest == revision);
  CHECK(world.hub->snapshot().revision() >= revision);
  CHECK(world.remove("/rbac/roles/a") == *latest);
}
