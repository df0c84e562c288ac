// The power is cut at every sync of a recorded run, and at some writes between: what the disk may
// then hold is opened again. SKIFF_POWER_CUTS=<number> makes the run longer.
#include "support/faulty_vfs.h"
#include "support/store_fixture.h"

#include <skiff/base/random.h>
#include <skiff/base/strings.h>

#include <catch2/catch.hpp>

#include <cstdlib>
#include <set>

using namespace skiff;
using store::Durability;
using test::FaultyVfs;

namespace {

// One event of the run and the moment at which it was about to be answered.
struct Seen {
  store::Event event;
  Durability durability;
  std::size_t moment;
};

// What must be true of the runs so far, whatever happens next.
struct History {
  store::Revision newest_seen = 0;  // by anybody, ever
};

using Records = std::map<std::string, std::string>;

Durability durability_of(const std::string& key, std::uint64_t choice) {
  if (base::starts_with(key, "/core/configmaps/")) return Durability::durable;
  if (base::starts_with(key, "/core/pods/"))
    return choice == 0 ? Durability::durable : Durability::relaxed;
  return choice == 0 ? Durability::durable : Durability::volatile_;
}

// A round: a few writes to different keys, started together.
std::vector<store::Write> make_round(base::Random& random, int* counter) {
  static constexpr const char* kKinds[] = {"/core/configmaps/n/", "/core/pods/n/",
                                           "/coordination/leases/n/"};
  std::vector<store::Write> writes;
  std::set<std::string> keys;
  std::size_t count = 1 + random.below(8);
  while (writes.size() < count) {
    std::string key = base::concat(kKinds[random.below(3)], random.below(12));
    if (!keys.insert(key).second) continue;
    Durability durability = durability_of(key, random.below(3));
    bool lease = base::starts_with(key, "/coordination/");
    if (random.below(5) == 0 && !(lease && durability != Durability::durable)) {
      writes.push_back(test::removal(key, durability));
    } else {
      std::string value = base::concat("value-", (*counter)++, "-");
      value.append(random.below(3000), 'x');
      writes.push_back(test::put(key, value, durability));
    }
  }
  return writes;
}

// The disk's content after all that is not volatile, up to `upto`, on top of `base`.
Records replay(const Records& base, const std::vector<Seen>& run, store::Revision upto) {
  Records records = base;
  for (const Seen& seen : run) {
    if (seen.event.revision > upto) break;
    if (seen.durability == Durability::volatile_) continue;
    if (seen.event.type == store::Event::Type::put) {
      records[seen.event.key] = std::string(seen.event.value.view());
    } else {
      records.erase(seen.event.key);
    }
  }
  return records;
}

class Run {
 public:
  Run(const std::string& folder, test::DiskImage image, History* history)
      : folder_(folder), disk_(std::move(image)), history_(history) {}

  void record(base::Random& random, int rounds) {
    test::SqliteFixture fixture(folder_, disk_.name());
    REQUIRE(fixture.open().is_ok());
    for (const auto& [key, record] : fixture.records) base_[key] = record.value;
    std::map<std::string, Durability> group;
    fixture.store->set_event_sink([&](std::vector<store::Event> events, store::Revision) {
      for (auto& event : events) {
        Durability durability = group.at(event.key);
        run_.push_back({std::move(event), durability, disk_.moment()});
      }
    });
    for (int i = 0; i < rounds; ++i) {
      auto writes = make_round(random, &counter_);
      group.clear();
      for (const auto& write : writes) group[write.key] = write.durability;
      for (const auto& answer : fixture.commit_all(std::move(writes)))
        CHECK((answer.is_ok() || answer.code() == base::Code::not_found));
      if (random.below(10) == 0) {
        fixture.manual.advance(std::chrono::seconds(5));
        fixture.settle();
      }
    }
    fixture.abandon();
  }

  // Cuts at `moment`, opens what is left and holds it against the promises.
  void check(std::size_t moment, FaultyVfs::Cut kind, base::Random& random) {
    INFO("cut at moment " << moment << " kind " << static_cast<int>(kind));
    FaultyVfs after(disk_.cut(moment, kind, random));
    test::SqliteFixture fixture(folder_, after.name());
    auto status = fixture.open();
    INFO(status.to_string());
    REQUIRE(status.is_ok());
    CHECK(fixture.loaded.damaged.empty());

    store::Revision durable_seen = 0;
    store::Revision newest_seen = history_->newest_seen;
    std::map<std::string, const Seen*> visible;
    for (const Seen& seen : run_) {
      if (seen.moment > moment) continue;
      newest_seen = std::max(newest_seen, seen.event.revision);
      visible[seen.event.key] = &seen;
      if (seen.durability == Durability::durable) durable_seen = seen.event.revision;
    }
    CHECK(fixture.loaded.revision >= newest_seen);
    check_prefix(fixture, durable_seen);
    for (const auto& [key, record] : fixture.records) {
      CHECK(record.revision <= fixture.loaded.revision);
      auto at = visible.find(key);
      if (at == visible.end()) continue;
      const store::Event& event = at->second->event;
      bool same = event.type == store::Event::Type::put && event.value.view() == record.value;
      if (same) {
        CHECK(record.revision >= event.revision);
      } else {
        CHECK(record.revision > event.revision);
      }
    }
    auto next = fixture.commit(test::put("/core/configmaps/n/next", "x"));
    REQUIRE(next);
    CHECK(*next > newest_seen);
    fixture.abandon();
  }

  // Nothing durable is lost, and what else there is is all that came before some moment.
  void check_prefix(const test::SqliteFixture& fixture, store::Revision durable_seen) {
    Records loaded;
    for (const auto& [key, record] : fixture.records) loaded[key] = record.value;
    bool matched = loaded == replay(base_, run_, durable_seen);
    for (const Seen& seen : run_) {
      if (matched) break;
      if (seen.event.revision > durable_seen)
        matched = loaded == replay(base_, run_, seen.event.revision);
    }
    CHECK(matched);
  }

  test::DiskImage cut_somewhere(base::Random& random) {
    std::size_t moment = random.below(disk_.moment() + 1);
    for (const Seen& seen : run_)
      if (seen.moment <= moment)
        history_->newest_seen = std::max(history_->newest_seen, seen.event.revision);
    return disk_.cut(moment, FaultyVfs::Cut::random_part, random);
  }

  const FaultyVfs& disk() const { return disk_; }
  std::size_t events() const { return run_.size(); }

 private:
  const std::string& folder_;
  FaultyVfs disk_;
  History* history_;
  Records base_;
  std::vector<Seen> run_;
  int counter_ = 0;
};

std::size_t cuts_wanted() {
  const char* text = std::getenv("SKIFF_POWER_CUTS");
  return text == nullptr ? 400 : std::strtoul(text, nullptr, 10);
}

}  // namespace

TEST_CASE("no acknowledged durable write is lost and no revision comes back, wherever it is cut") {
  test::TemporaryFolder folder;
  std::size_t cuts = 0;
  for (std::uint64_t seed = 1; cuts < cuts_wanted(); ++seed) {
    INFO("seed " << seed);
    auto random = base::seeded_random(seed);
    History history;
    test::DiskImage image;
    for (int generation = 0; generation < 4; ++generation) {
      Run run(folder.path(), std::move(image), &history);
      run.record(*random, 25);
      REQUIRE(run.events() > 20);
      auto syncs = run.disk().sync_moments();
      REQUIRE(syncs.size() > 5);
      for (std::size_t sync : syncs) {
        // Before the sync has done anything, and after it.
        run.check(sync, FaultyVfs::Cut::random_part, *random);
        run.check(sync + 1, FaultyVfs::Cut::nothing_unsynced, *random);
        cuts += 2;
      }
      for (int i = 0; i < 20; ++i, ++cuts) {
        auto kind = i % 4 == 0 ? FaultyVfs::Cut::everything : FaultyVfs::Cut::random_part;
        run.check(random->below(run.disk().moment() + 1), kind, *random);
      }
      image = run.cut_somewhere(*random);
    }
  }
  WARN("power cuts: " << cuts);
}
