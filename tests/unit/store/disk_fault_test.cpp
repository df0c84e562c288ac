// A disk that is slow, full, read-only or fails to sync.
#include "support/faulty_vfs.h"
#include "support/store_fixture.h"

#include <skiff/base/strings.h>

#include <catch2/catch.hpp>

using namespace skiff;
using store::Durability;
using store::Health;
using test::put;
using test::removal;

namespace {

struct World {
  World() { REQUIRE(fixture.open().is_ok()); }
  base::Result<store::Revision> commit(store::Write write) {
    return fixture.commit(std::move(write));
  }
  Health health() {
    fixture.settle();
    return fixture.store->health().health;
  }
  // What a new process finds.
  std::map<std::string, test::LoadedRecord> records_after_restart() {
    fixture.abandon();
    REQUIRE(fixture.open().is_ok());
    return fixture.records;
  }
  test::TemporaryFolder folder;
  test::FaultyVfs disk;
  test::SqliteFixture fixture{folder.path(), disk.name()};
};

}  // namespace

TEST_CASE("with a sync of 50 ms, 16 concurrent creates take at most 2 syncs") {
  World world;
  world.disk.sync_delay_ns = 50'000'000;
  std::vector<store::Write> writes;
  for (int i = 0; i < 16; ++i)
    writes.push_back(
        put(base::concat("/core/pods/n/", i), std::string(1024, 'x'), Durability::durable, 0));
  auto before = world.fixture.store->counters().syncs;
  for (const auto& answer : world.fixture.commit_all(std::move(writes))) REQUIRE(answer);
  CHECK(world.fixture.store->counters().syncs - before <= 2);
}

TEST_CASE("a full disk refuses durable writes only, and the store recovers by itself") {
  World world;
  REQUIRE(world.commit(put("/core/configmaps/n/1", "before")));
  REQUIRE(world.commit(put("/core/pods/n/1", "before", Durability::relaxed)));
  REQUIRE(world.commit(put("/core/leases/n/1", "before", Durability::volatile_)));
  world.disk.bytes_max = 0;
  for (int i = 0; i < 3; ++i) {
    auto refused = world.commit(put("/core/configmaps/n/1", std::string(5000, 'x')));
    CHECK(refused.code() == base::Code::unavailable);
    CHECK(refused.status().message().find("full") != std::string_view::npos);
  }
  CHECK(world.health() == Health::disk_full);
  CHECK(world.commit(put("/core/pods/n/1", "meanwhile", Durability::relaxed)));
  CHECK(world.commit(put("/core/leases/n/1", "meanwhile", Durability::volatile_)));
  CHECK(world.commit(put("/core/configmaps/n/1", "x", Durability::durable, 0)).code() ==
        base::Code::already_exists);
  world.disk.bytes_max = -1;
  world.fixture.manual.advance(std::chrono::seconds(5));
  CHECK(world.health() == Health::writable);
  auto after = world.commit(put("/core/configmaps/n/1", "after"));
  REQUIRE(after);
  auto records = world.records_after_restart();
  CHECK(records["/core/configmaps/n/1"] == test::LoadedRecord{"after", *after});
  CHECK(records["/core/pods/n/1"].value == "meanwhile");
}

TEST_CASE("in one group the relaxed writes go through when the disk refuses the durable ones") {
  World world;
  REQUIRE(world.commit(put("/core/pods/n/1", "before", Durability::relaxed)));
  world.disk.bytes_max = 0;
  std::vector<store::Write> writes;
  writes.push_back(put("/core/configmaps/n/1", "x"));
  writes.push_back(put("/core/pods/n/1", "y", Durability::relaxed));
  writes.push_back(put("/core/configmaps/n/2", "x"));
  writes.push_back(removal("/core/pods/n/2", Durability::relaxed));
  auto answers = world.fixture.commit_all(std::move(writes));
  CHECK(answers[0].code() == base::Code::unavailable);
  CHECK(answers[1]);
  CHECK(answers[2].code() == base::Code::unavailable);
  CHECK(answers[3].code() == base::Code::not_found);
}

TEST_CASE("a read-only disk is named, and left again") {
  World world;
  REQUIRE(world.commit(put("/core/configmaps/n/1", "before")));
  world.disk.read_only = true;
  CHECK(world.commit(put("/core/configmaps/n/1", "x")).code() == base::Code::unavailable);
  CHECK(world.health() == Health::read_only);
  world.disk.read_only = false;
  CHECK(world.commit(put("/core/configmaps/n/1", "after")));
  CHECK(world.health() == Health::writable);
}

TEST_CASE("a commit whose sync failed is refused and never comes back") {
  World world;
  auto before = world.commit(put("/core/configmaps/n/1", "before"));
  REQUIRE(before);
  world.disk.failing_syncs = 1;
  auto refused = world.commit(put("/core/configmaps/n/1", "lost"));
  CHECK(refused.code() == base::Code::unavailable);
  CHECK(world.fixture.store->health().health == Health::failed);
  SECTION("the next write opens the database again") {
    auto after = world.commit(put("/core/configmaps/n/2", "after"));
    INFO(after.status().to_string());
    REQUIRE(after);
    CHECK(*after > *before + 1);
    CHECK(world.health() == Health::writable);
    auto records = world.records_after_restart();
    CHECK(records["/core/configmaps/n/1"] == test::LoadedRecord{"before", *before});
    CHECK(records["/core/configmaps/n/2"].value == "after");
  }
  SECTION("the compare sees what is on disk") {
    CHECK(world.commit(put("/core/configmaps/n/1", "after", Durability::durable, *before)));
  }
  SECTION("a crash right then") {
    auto records = world.records_after_restart();
    // Not answered, so both are right; what it is stays so.
    CHECK((records["/core/configmaps/n/1"].value == "before" ||
           records["/core/configmaps/n/1"].value == "lost"));
  }
}

TEST_CASE("a disk that goes on failing is tried again once a second, not on every write") {
  World world;
  REQUIRE(world.commit(put("/core/configmaps/n/1", "before")));
  world.disk.failing_syncs = 1'000'000;
  for (int i = 0; i < 10; ++i)
    CHECK(world.commit(put("/core/configmaps/n/1", "lost")).code() == base::Code::unavailable);
  CHECK(world.disk.failing_syncs > 1'000'000 - 10);
  world.disk.failing_syncs = 0;
  world.fixture.manual.advance(std::chrono::seconds(5));
  CHECK(world.health() == Health::writable);
  CHECK(world.commit(put("/core/configmaps/n/1", "after")));
  CHECK(world.records_after_restart()["/core/configmaps/n/1"].value == "after");
}

TEST_CASE("relaxed writes on a full disk are bounded") {
  World world;
  REQUIRE(world.commit(put("/core/pods/n/0", "first", Durability::relaxed)));
  world.disk.bytes_max = 0;
  CHECK_FALSE(world.commit(put("/core/configmaps/n/1", "x")));
  std::size_t taken = 0;
  std::string value(1 << 20, 'x');
  for (int i = 0; i < 20; ++i)
    taken +=
        world.commit(put(base::concat("/core/pods/n/", i), value, Durability::relaxed)) ? 1 : 0;
  CHECK(taken >= 7);
  CHECK(taken <= 9);
}
