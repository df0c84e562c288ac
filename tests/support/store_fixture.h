// A store in a folder of its own, driven from the test's thread.
#pragma once

#include "support/blocking_executor.h"

#include <skiff/store/store.h>

#include <map>
#include <string>
#include <vector>

namespace skiff::test {

// A new folder under the system's temporary folder; removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

store::Write put(std::string key, std::string_view value,
                 store::Durability durability = store::Durability::durable,
                 std::optional<store::Revision> expected = std::nullopt);
store::Write removal(std::string key, store::Durability durability = store::Durability::durable,
                     std::optional<store::Revision> expected = std::nullopt);

struct LoadedRecord {
  std::string value;
  store::Revision revision = 0;
  bool operator==(const LoadedRecord&) const = default;
};

// An open SQLite store with what it loaded and the events that it sent.
class SqliteFixture final : public store::StoreEnvironment {
 public:
  explicit SqliteFixture(std::string folder, const char* vfs = nullptr);
  base::Timers& timers() override { return manual; }

  // Opens and loads. The status of either.
  base::Status open();
  base::Result<store::Revision> commit(store::Write write);
  // Starts all, then waits for all: in the order of `writes`.
  std::vector<base::Result<store::Revision>> commit_all(std::vector<store::Write> writes);
  base::Status close();
  // Without the orderly end: what a crash of the process leaves.
  void abandon() { store.reset(); }
  // Waits until the writer has done what a timer asked for.
  void settle();

  std::string folder;
  store::SqliteOptions options;
  ManualTimers manual;
  BlockingExecutor executor;
  std::unique_ptr<store::Store> store;
  store::Store::Loaded loaded;
  std::map<std::string, LoadedRecord> records;
  std::vector<std::string> load_order;
  std::vector<store::Event> events;  // written by the store's thread; read it after a commit
};

}  // namespace skiff::test
