// Commits per second, syncs and bytes written per commit, memory per object. The folder is the
// first argument (default: a temporary one).
#include "support/store_fixture.h"

#include <skiff/base/strings.h>
#include <skiff/loop/loop.h>
#include <skiff/watch/hub.h>

#include <malloc.h>
#include <cstdio>
#include <fstream>

using namespace skiff;

namespace {

struct Load {
  store::Store* store;
  std::string value;
  int keys;
  bool update;
  int next = 0;
  int total = 0;
  std::size_t running = 0;
};

base::Task<void> client(Load* load) {
  while (load->next < load->total) {
    int number = load->next++;
    // A step that visits every key once, far from the one before.
    int key = load->update ? static_cast<int>(std::int64_t{number} * 7919 % load->keys)
                           : load->keys + number;
    auto write =
        test::put(base::concat("/core/configmaps/default/object-", 100000 + key), load->value);
    auto answer = co_await load->store->commit(std::move(write));
    if (!answer.is_ok()) std::fprintf(stderr, "%s\n", answer.status().to_string().c_str());
  }
  --load->running;
}

std::uint64_t process_write_bytes() {
  std::ifstream in("/proc/self/io");
  std::string name;
  std::uint64_t number = 0;
  while (in >> name >> number)
    if (name == "write_bytes:") return number;
  return 0;
}

void measure(test::SqliteFixture& fixture, std::size_t bytes, int concurrency, bool update,
             int keys, int total) {
  Load load{fixture.store.get(), std::string(bytes, 'x'), keys, update};
  load.total = total;
  load.running = static_cast<std::size_t>(concurrency);
  auto before = fixture.store->counters();
  std::uint64_t io_before = process_write_bytes();
  auto start = loop::real_clock().monotonic();
  for (int i = 0; i < concurrency; ++i) base::spawn_detached(fixture.executor, client(&load));
  while (load.running > 0) fixture.executor.run_one();
  double seconds = static_cast<double>((loop::real_clock().monotonic() - start).count()) / 1e9;
  auto after = fixture.store->counters();
  double count = total;
  std::printf(
      "%s %zu bytes, %2d at a time: %7.0f/s, %.3f syncs, %.1f KB written (%.1f KB to disk)\n",
      update ? "update" : "create", bytes, concurrency, count / seconds,
      static_cast<double>(after.syncs - before.syncs) / count,
      static_cast<double>(after.bytes_written - before.bytes_written) / count / 1024,
      static_cast<double>(process_write_bytes() - io_before) / count / 1024);
}

std::size_t heap_bytes() {
  auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

void measure_memory() {
  test::TemporaryFolder folder;
  constexpr int kObjects = 20000;
  constexpr std::size_t kValueBytes = 1024;
  {
    test::SqliteFixture fixture(folder.path());
    if (!fixture.open().is_ok()) return;
    measure(fixture, kValueBytes, 64, false, 0, kObjects);
    static_cast<void>(fixture.close().is_ok());
  }
  std::size_t before = heap_bytes();
  test::SqliteFixture fixture(folder.path());
  auto opened = store::open_sqlite_store(fixture.options, fixture);
  if (!opened) return;
  auto start = loop::real_clock().monotonic();
  auto hub = watch::make_hub(**opened, {}, nullptr);
  if (!hub) return;
  double milliseconds = static_cast<double>((loop::real_clock().monotonic() - start).count()) / 1e6;
  std::size_t all = heap_bytes() - before;
  std::printf("load of %d objects: %.0f ms; %zu bytes of memory per object of %zu bytes\n",
              kObjects, milliseconds, all / kObjects, kValueBytes);
  hub->reset();
  (*opened)->set_event_sink({});  // which kept the hub's index
  std::printf("engine without objects: %zu KB\n", (heap_bytes() - before) / 1024);
}

}  // namespace

int main(int argc, char** argv) {
  test::TemporaryFolder temporary;
  for (std::size_t bytes : {std::size_t{1000}, std::size_t{4000}}) {
    test::SqliteFixture fixture(base::concat(argc > 1 ? argv[1] : temporary.path(), "/", bytes));
    auto status = fixture.open();
    if (!status.is_ok()) {
      std::fprintf(stderr, "%s\n", status.to_string().c_str());
      return 1;
    }
    for (int concurrency : {1, 16, 64}) {
      int total = concurrency == 1 ? 500 : 4000;
      measure(fixture, bytes, concurrency, false, 10000 * concurrency, total);
      measure(fixture, bytes, concurrency, true, 2000, total);
    }
  }
  measure_memory();
  return 0;
}
