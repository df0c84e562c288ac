// What is on disk when, and what comes back after an orderly and a disorderly end.
#include "support/faulty_vfs.h"
#include "support/store_fixture.h"

#include <skiff/base/strings.h>

#include <catch2/catch.hpp>

#include <unistd.h>
#include <algorithm>
#include <filesystem>

using namespace skiff;
using store::Durability;
using test::put;
using test::removal;

TEST_CASE("an orderly stop keeps everything, with its revisions") {
  test::TemporaryFolder folder;
  test::SqliteFixture fixture(folder.path());
  REQUIRE(fixture.open().is_ok());
  auto durable = fixture.commit(put("/core/a/n/1", "durable"));
  auto relaxed = fixture.commit(put("/core/b/n/1", "relaxed", Durability::relaxed));
  auto lease = fixture.commit(put("/core/c/n/1", "volatile", Durability::volatile_));
  REQUIRE(fixture.commit(put("/core/c/n/2", "x")));
  REQUIRE(fixture.commit(removal("/core/c/n/2", Durability::volatile_)));
  REQUIRE(fixture.commit(put("/core/c/n/3", "old")));
  auto renewed = fixture.commit(put("/core/c/n/3", "new", Durability::volatile_));
  REQUIRE(renewed);
  REQUIRE(fixture.close().is_ok());

  for (int round = 0; round < 2; ++round) {
    test::SqliteFixture again(folder.path());
    REQUIRE(again.open().is_ok());
    CHECK(again.loaded.revision == *renewed);
    CHECK(again.loaded.damaged.empty());
    REQUIRE(again.records.size() == 4);
    CHECK(again.records["/core/a/n/1"] == test::LoadedRecord{"durable", *durable});
    CHECK(again.records["/core/b/n/1"] == test::LoadedRecord{"relaxed", *relaxed});
    CHECK(again.records["/core/c/n/1"] == test::LoadedRecord{"volatile", *lease});
    CHECK(again.records["/core/c/n/3"] == test::LoadedRecord{"new", *renewed});
    CHECK(std::is_sorted(again.load_order.begin(), again.load_order.end()));
    REQUIRE(again.close().is_ok());
  }
}

TEST_CASE("after a crash durable writes are there, relaxed kinds are above all that was seen") {
  test::TemporaryFolder folder;
  test::SqliteFixture fixture(folder.path());
  REQUIRE(fixture.open().is_ok());
  auto config = fixture.commit(put("/core/configmaps/n/1", "kept"));
  auto pod = fixture.commit(put("/core/pods/n/1", "created"));
  REQUIRE(fixture.commit(put("/core/pods/n/1", "first", Durability::relaxed, *pod)));
  REQUIRE(fixture.commit(put("/core/events/n/1", "gone", Durability::volatile_)));
  auto last = fixture.commit(put("/core/pods/n/1", "lost", Durability::relaxed));
  REQUIRE(last);
  fixture.abandon();

  test::SqliteFixture again(folder.path());
  REQUIRE(again.open().is_ok());
  CHECK(again.records["/core/configmaps/n/1"] == test::LoadedRecord{"kept", *config});
  REQUIRE(again.records.contains("/core/pods/n/1"));
  auto pod_now = again.records["/core/pods/n/1"];
  CHECK(pod_now.revision > *last);
  CHECK(again.loaded.revision >= pod_now.revision);
  CHECK_FALSE(again.records.contains("/core/events/n/1"));
  auto next = again.commit(put("/core/pods/n/1", "next", Durability::durable, pod_now.revision));
  REQUIRE(next);
  CHECK(*next > *last);
}

TEST_CASE("a durable commit carries every earlier relaxed one") {
  test::TemporaryFolder folder;
  test::SqliteFixture fixture(folder.path());
  REQUIRE(fixture.open().is_ok());
  REQUIRE(fixture.commit(put("/core/pods/n/0", "first of its kind", Durability::relaxed)));
  for (int i = 1; i <= 20; ++i)
    REQUIRE(fixture.commit(put(base::concat("/core/pods/n/", i), "relaxed", Durability::relaxed)));
  REQUIRE(fixture.commit(removal("/core/pods/n/20", Durability::relaxed)));
  auto syncs = fixture.store->counters().syncs;
  REQUIRE(fixture.commit(put("/core/configmaps/n/1", "durable")));
  CHECK(fixture.store->counters().syncs == syncs + 1);
  fixture.abandon();

  test::SqliteFixture again(folder.path());
  REQUIRE(again.open().is_ok());
  CHECK(again.records.size() == 21);
  CHECK_FALSE(again.records.contains("/core/pods/n/20"));
}

TEST_CASE("relaxed writes are answered without a sync and on disk after five seconds") {
  test::TemporaryFolder folder;
  test::SqliteFixture fixture(folder.path());
  REQUIRE(fixture.open().is_ok());
  REQUIRE(fixture.commit(put("/core/pods/n/0", "first of its kind", Durability::relaxed)));
  auto before = fixture.store->counters();
  for (int i = 1; i <= 20; ++i)
    REQUIRE(fixture.commit(put(base::concat("/core/pods/n/", i), "relaxed", Durability::relaxed)));
  CHECK(fixture.store->counters().syncs == before.syncs);
  CHECK(fixture.store->counters().bytes_written == before.bytes_written);
  fixture.settle();
  fixture.manual.advance(std::chrono::seconds(5));
  fixture.settle();
  CHECK(fixture.store->counters().syncs == before.syncs + 1);
  CHECK(fixture.manual.waiting() == 0);
  fixture.abandon();
  test::SqliteFixture again(folder.path());
  REQUIRE(again.open().is_ok());
  CHECK(again.records.size() == 21);
}

TEST_CASE("nothing is written while nothing changes, and volatile writes write nothing") {
  test::TemporaryFolder folder;
  test::SqliteFixture fixture(folder.path());
  REQUIRE(fixture.open().is_ok());
  auto lease = fixture.commit(put("/coordination/leases/n/1", "x"));
  REQUIRE(fixture.commit(put("/coordination/leases/n/1", "x", Durability::volatile_)));
  auto before = fixture.store->counters();
  for (int i = 0; i < 1000; ++i)
    REQUIRE(fixture.commit(put("/coordination/leases/n/1", "renewed", Durability::volatile_)));
  fixture.manual.advance(std::chrono::minutes(10));
  CHECK(fixture.store->counters().bytes_written == before.bytes_written);
  CHECK(fixture.store->counters().syncs == before.syncs);
  CHECK(fixture.manual.waiting() == 0);
}

TEST_CASE("revisions are never given out twice, however often the process dies") {
  test::TemporaryFolder folder;
  store::Revision last = 0;
  for (int round = 0; round < 5; ++round) {
    test::SqliteFixture fixture(folder.path());
    REQUIRE(fixture.open().is_ok());
    CHECK(fixture.loaded.revision >= last);
    for (const auto& record : fixture.records)
      CHECK(record.second.revision <= fixture.loaded.revision);
    auto durability = round % 2 == 0 ? Durability::volatile_ : Durability::durable;
    for (int i = 0; i < 10; ++i) {
      auto next = fixture.commit(put("/core/leases/n/1", "x", durability));
      REQUIRE(next);
      CHECK(*next > last);
      last = *next;
    }
    fixture.abandon();
  }
}

TEST_CASE("revisions cross the reserved range without a gap") {
  test::TemporaryFolder folder;
  test::SqliteFixture fixture(folder.path());
  REQUIRE(fixture.open().is_ok());
  store::Revision last = *fixture.commit(put("/core/leases/n/1", "x", Durability::volatile_));
  for (int i = 0; i < 140; ++i) {
    std::vector<store::Write> writes;
    for (int j = 0; j < 1000; ++j)
      writes.push_back(put("/core/leases/n/1", "x", Durability::volatile_));
    for (auto& answer : fixture.commit_all(std::move(writes))) {
      REQUIRE(answer);
      REQUIRE(*answer == ++last);
    }
  }
  fixture.abandon();
  test::SqliteFixture again(folder.path());
  REQUIRE(again.open().is_ok());
  CHECK(again.loaded.revision > last);
}

TEST_CASE("one process holds a data folder, and the second is told who") {
  test::TemporaryFolder folder;
  test::SqliteFixture first(folder.path() + "/deep/er");
  REQUIRE(first.open().is_ok());
  test::SqliteFixture second(folder.path() + "/deep/er");
  auto status = second.open();
  CHECK(status.code() == base::Code::unavailable);
  CHECK(status.message().find(base::concat("process ", static_cast<long>(::getpid()))) !=
        std::string_view::npos);
  REQUIRE(first.close().is_ok());
  CHECK(second.open().is_ok());
}

TEST_CASE("keys and values over the limit are refused") {
  test::TemporaryFolder folder;
  test::SqliteFixture fixture(folder.path());
  REQUIRE(fixture.open().is_ok());
  CHECK(fixture.commit(put(std::string(2000, 'k'), "x")).code() == base::Code::invalid_argument);
  CHECK(fixture.commit(put("", "x")).code() == base::Code::invalid_argument);
  CHECK(fixture.commit(put("/a/b/c", std::string(9 << 20, 'x'))).code() == base::Code::too_large);
}

TEST_CASE("many writes that wait share their transactions") {
  test::TemporaryFolder folder;
  test::SqliteFixture fixture(folder.path());
  REQUIRE(fixture.open().is_ok());
  std::vector<store::Write> writes;
  for (int i = 0; i < 500; ++i)
    writes.push_back(put(base::concat("/core/pods/n/", i), std::string(1000, 'x')));
  for (const auto& answer : fixture.commit_all(std::move(writes))) REQUIRE(answer);
  CHECK(fixture.store->counters().groups < 100);
  CHECK(fixture.store->counters().commits == 500);
}

TEST_CASE("the log is copied into the database and stays small") {
  test::TemporaryFolder folder;
  test::SqliteFixture fixture(folder.path());
  REQUIRE(fixture.open().is_ok());
  for (int i = 0; i < 200; ++i) {
    std::vector<store::Write> writes;
    for (int j = 0; j < 50; ++j)
      writes.push_back(put(base::concat("/core/pods/n/", j), std::string(1000, 'a' + i % 26)));
    for (const auto& answer : fixture.commit_all(std::move(writes))) REQUIRE(answer);
  }
  CHECK(std::filesystem::file_size(folder.path() + "/state.db-wal") < 16u << 20);
  CHECK(std::filesystem::file_size(folder.path() + "/state.db") > 50u * 1000);
  REQUIRE(fixture.close().is_ok());
  CHECK_FALSE(std::filesystem::exists(folder.path() + "/state.db-wal"));
}

TEST_CASE("a checkpoint does not sync a log that each commit has synced") {
  test::TemporaryFolder folder;
  test::FaultyVfs disk;
  test::SqliteFixture fixture(folder.path(), disk.name());
  REQUIRE(fixture.open().is_ok());
  REQUIRE(fixture.commit(put("/core/pods/n/0", "first")));
  const auto before = fixture.store->counters();
  const auto syncs_before = disk.sync_moments().size();
  for (int i = 0; i < 1500; ++i)
    REQUIRE(fixture.commit(put(base::concat("/core/pods/n/", i % 50), std::string(1500, 'x'))));
  fixture.settle();
  const auto after = fixture.store->counters();
  const auto log_syncs = after.syncs - before.syncs;
  const auto database_syncs = disk.sync_moments().size() - syncs_before - log_syncs;
  // Of a checkpoint: the database, and the head of the log that begins anew after it.
  REQUIRE(database_syncs > 0);
  CHECK(log_syncs - (after.groups - before.groups) <= database_syncs);
}
