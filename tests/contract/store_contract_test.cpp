// One suite for every implementation of store::Store.
#include "support/store_fixture.h"

#include <skiff/base/strings.h>

#include <catch2/catch.hpp>

using namespace skiff;
using test::put;
using test::removal;

namespace {

struct SqliteSubject {
  explicit SqliteSubject(const std::string& folder) : fixture(folder) {
    REQUIRE(fixture.open().is_ok());
    store = fixture.store.get();
  }
  test::SqliteFixture fixture;
  store::Store* store = nullptr;
  test::BlockingExecutor& executor = fixture.executor;
};

struct MemorySubject {
  explicit MemorySubject(const std::string&) : owned(store::make_memory_store(executor)) {
    REQUIRE(owned->load([](store::Record) {}));
    store = owned.get();
  }
  test::BlockingExecutor executor;
  std::unique_ptr<store::Store> owned;
  store::Store* store = nullptr;
};

template <class Subject>
base::Result<store::Revision> commit(Subject& subject, store::Write write) {
  return subject.executor.run(subject.store->commit(std::move(write)));
}

constexpr auto kDurable = store::Durability::durable;

}  // namespace

#define EACH_STORE(name) TEMPLATE_TEST_CASE(name, "", MemorySubject, SqliteSubject)

EACH_STORE("revisions grow by one with every commit, over all keys") {
  test::TemporaryFolder folder;
  TestType subject(folder.path());
  auto durability = GENERATE(store::Durability::durable, store::Durability::relaxed,
                             store::Durability::volatile_);
  auto first = commit(subject, put("/a/b/c/1", "x", durability));
  REQUIRE(first);
  for (store::Revision i = 1; i <= 5; ++i) {
    auto next = commit(subject, put(base::concat("/a/b/c/", i % 3), "y", durability));
    REQUIRE(next);
    CHECK(*next == *first + i);
  }
}

EACH_STORE("the compare of compare-and-write tells what is wrong and writes nothing") {
  test::TemporaryFolder folder;
  TestType subject(folder.path());
  CHECK(commit(subject, put("/a/b/c/1", "x", kDurable, 7)).code() == base::Code::not_found);
  CHECK(commit(subject, removal("/a/b/c/1")).code() == base::Code::not_found);
  CHECK(commit(subject, removal("/a/b/c/1", kDurable, 7)).code() == base::Code::not_found);
  auto created = commit(subject, put("/a/b/c/1", "x", kDurable, 0));
  REQUIRE(created);
  CHECK(commit(subject, put("/a/b/c/1", "y", kDurable, 0)).code() == base::Code::already_exists);
  CHECK(commit(subject, put("/a/b/c/1", "y", kDurable, *created + 1)).code() ==
        base::Code::conflict);
  CHECK(commit(subject, removal("/a/b/c/1", kDurable, *created + 1)).code() ==
        base::Code::conflict);
  auto updated = commit(subject, put("/a/b/c/1", "y", kDurable, *created));
  REQUIRE(updated);
  CHECK(*updated == *created + 1);
  CHECK(commit(subject, removal("/a/b/c/1", kDurable, *updated)));
  CHECK(commit(subject, put("/a/b/c/1", "z", kDurable, 0)));
  CHECK(subject.store->counters().commits == 4);
}

EACH_STORE("the compare sees writes of every durability") {
  test::TemporaryFolder folder;
  TestType subject(folder.path());
  auto first = GENERATE(store::Durability::durable, store::Durability::relaxed,
                        store::Durability::volatile_);
  auto second = GENERATE(store::Durability::durable, store::Durability::relaxed,
                         store::Durability::volatile_);
  auto created = commit(subject, put("/a/b/c/1", "x", first, 0));
  REQUIRE(created);
  CHECK(commit(subject, put("/a/b/c/1", "y", second, 0)).code() == base::Code::already_exists);
  auto updated = commit(subject, put("/a/b/c/1", "y", second, *created));
  REQUIRE(updated);
  CHECK(commit(subject, put("/a/b/c/1", "y", first, *created)).code() == base::Code::conflict);
  auto removed = commit(subject, removal("/a/b/c/1", first, *updated));
  REQUIRE(removed);
  CHECK(commit(subject, removal("/a/b/c/1", second)).code() == base::Code::not_found);
  CHECK(commit(subject, put("/a/b/c/1", "x", second, 0)));
}

EACH_STORE("events come in order before the answer, a removal with the last value") {
  test::TemporaryFolder folder;
  TestType subject(folder.path());
  std::vector<store::Event> events;
  store::Revision upto = 0;
  subject.store->set_event_sink([&](std::vector<store::Event> group, store::Revision last) {
    for (auto& event : group) events.push_back(std::move(event));
    upto = last;
  });
  auto durability = GENERATE(store::Durability::durable, store::Durability::relaxed,
                             store::Durability::volatile_);
  auto created = commit(subject, put("/a/b/c/1", "one", durability));
  REQUIRE(created);
  REQUIRE(events.size() == 1);
  CHECK(events[0].type == store::Event::Type::put);
  CHECK(events[0].revision == *created);
  CHECK(upto == *created);
  REQUIRE(commit(subject, put("/a/b/c/1", "two", durability)));
  REQUIRE(commit(subject, removal("/a/b/c/1", durability)));
  REQUIRE_FALSE(commit(subject, removal("/a/b/c/1", durability)));
  REQUIRE(events.size() == 3);
  CHECK(events[1].value.view() == "two");
  CHECK(events[2].type == store::Event::Type::remove);
  CHECK(events[2].key == "/a/b/c/1");
  CHECK(events[2].value.view() == "two");
  CHECK(events[2].revision == *created + 2);
}

EACH_STORE("a value may hold every byte and be empty") {
  test::TemporaryFolder folder;
  TestType subject(folder.path());
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  std::vector<store::Event> events;
  subject.store->set_event_sink([&](std::vector<store::Event> group, store::Revision) {
    for (auto& event : group) events.push_back(std::move(event));
  });
  REQUIRE(commit(subject, put("/a/b/c/1", all)));
  REQUIRE(commit(subject, put("/a/b/c/2", "")));
  REQUIRE(commit(subject, removal("/a/b/c/1")));
  REQUIRE(commit(subject, removal("/a/b/c/2")));
  REQUIRE(events.size() == 4);
  CHECK(events[2].value.view() == all);
  CHECK(events[3].value.view().empty());
}

EACH_STORE("after close() commits are cancelled") {
  test::TemporaryFolder folder;
  TestType subject(folder.path());
  REQUIRE(commit(subject, put("/a/b/c/1", "x")));
  REQUIRE(subject.store->close().is_ok());
  CHECK(commit(subject, put("/a/b/c/2", "x")).code() == base::Code::cancelled);
}
