// A disk in memory for SQLite: records what is written and synced, so that a test can cut the power
// at any moment and look at what a disk may then hold; fails, fills up and slows down on demand.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/random.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

struct sqlite3_vfs;

namespace skiff::test {

using DiskImage = std::map<std::string, std::string>;  // path -> content

// Thread-safe.
class FaultyVfs {
 public:
  explicit FaultyVfs(DiskImage image = {});
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;
  const char* name() const { return name_.c_str(); }

  // Faults, from the next call on.
  std::atomic<int> failing_syncs = 0;  // so many of the next syncs fail
  std::atomic<bool> failing_reads = false;
  std::atomic<bool> read_only = false;       // as after a remount
  std::atomic<std::int64_t> bytes_max = -1;  // growth over this fails with "disk full"; -1: none
  std::atomic<std::int64_t> sync_delay_ns = 0;

  // Everything that has happened so far, as a number that grows.
  std::size_t moment() const;
  std::vector<std::size_t> sync_moments() const;

  enum class Cut { nothing_unsynced, everything, random_part };
  // What a disk may hold when the power is cut at `moment`: what was synced, and of the rest
  // nothing, everything, or some sectors in any order.
  DiskImage cut(std::size_t moment, Cut kind, base::Random& random) const;

 private:
  struct File;
  struct Methods;
  struct Operation {
    enum class Type { create, write, truncate, sync, failed_sync, remove };
    Type type;
    std::string path;
    std::int64_t at = 0;  // offset, or the new size
    std::string bytes;
  };
  static void apply(const Operation& operation, std::string* content);
  void apply_part(const Operation& operation, base::Random& random, std::string* content) const;

  mutable std::mutex mutex_;
  const DiskImage start_;
  DiskImage files_;
  std::vector<Operation> log_;
  std::string name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
};

}  // namespace skiff::test
