// Revisioned bytes: the seam between the API machinery and a storage engine. Knows no Kubernetes
// type. SQLite is the embedded engine; one suite (tests/contract) holds every implementation.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/clock.h>
#include <skiff/base/result.h>
#include <skiff/base/shared_bytes.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skiff::store {

// Grows by one with every commit of the store, over all keys, also across restarts. 0 = none.
using Revision = std::uint64_t;

// A hint that an engine may raise, never lower.
enum class Durability : unsigned char {
  durable,    // acknowledged after it would survive a power cut
  relaxed,    // acknowledged at once; on disk with the next durable commit or after 5 s
  volatile_,  // in memory; saved on an orderly stop only
};

// One compare-and-write.
struct Write {
  enum class Op : unsigned char { put, remove };
  Op op = Op::put;
  std::string key;          // "/<group>/<resource>/<namespace>/<name>"; opaque here
  base::SharedBytes value;  // put only
  // What must be there: nullopt = anything, 0 = nothing, else exactly this revision.
  std::optional<Revision> expected;
  Durability durability = Durability::durable;
};

struct Record {
  std::string key;
  base::SharedBytes value;
  Revision revision = 0;
};

struct Event {
  enum class Type : unsigned char { put, remove };
  Type type = Type::put;
  std::string key;
  base::SharedBytes value;  // put: the new value; remove: the last value
  Revision revision = 0;
};

// A record that was set aside at start because its checksum or format is wrong.
struct DamagedRecord {
  std::string key;
  std::string reason;
};

enum class Health : unsigned char { writable, read_only, disk_full, failed };
struct HealthReport {
  Health health = Health::writable;
  std::string reason;  // a sentence; empty when writable
};

// Thread-safe.
class Store {
 public:
  virtual ~Store() = default;

  // Applies one write. Returns its revision once its durability holds and its event is queued.
  // Errors: already_exists (expected nothing, something is there), not_found (expected a revision
  // or removes, nothing is there), conflict (another revision is there), unavailable (disk full,
  // read-only or failed: nothing was written; try again later), cancelled (stopping).
  virtual base::Task<base::Result<Revision>> commit(Write write) = 0;

  // Every current record, in key order, and the revision they are at. Called once, at start.
  struct Loaded {
    Revision revision = 0;
    std::vector<DamagedRecord> damaged;
  };
  virtual base::Result<Loaded> load(base::UniqueFunction<void(Record)> each) = 0;

  // Receives every committed event in order of revision, beginning after load(). `sink` runs on
  // the store's writing thread, must not block, and gets the events of one commit group together,
  // before their commit() calls return. One sink; set before the first commit.
  virtual void set_event_sink(
      base::UniqueFunction<void(std::vector<Event> events, Revision upto)> sink) = 0;

  virtual HealthReport health() const = 0;

  // Counters for /metrics and tests.
  struct Counters {
    std::uint64_t commits = 0;
    std::uint64_t groups = 0;  // transactions
    std::uint64_t syncs = 0;   // fsync and fdatasync calls on the log
    std::uint64_t bytes_written = 0;
  };
  virtual Counters counters() const = 0;

  // Writes relaxed and volatile records, closes the engine. No commit may follow.
  virtual base::Status close() = 0;
};

struct SqliteOptions {
  std::string folder;  // made when absent; holds state.db and a lock file
  std::size_t group_writes_max = 256;
  const char* vfs = nullptr;  // tests: the name of a registered SQLite VFS
};
// Errors: unavailable (another process holds the folder; the sentence names it), data_loss (the
// database cannot be opened at all), permission_denied.
base::Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options,
                                                       class StoreEnvironment& environment);

// What an engine needs from outside: the clock for its 5 s rule.
class StoreEnvironment {
 public:
  virtual ~StoreEnvironment() = default;
  virtual base::Timers& timers() = 0;
};

// Everything in memory, nothing durable: for the simulator and unit tests of other modules.
// `executor` runs commits (one at a time).
std::unique_ptr<Store> make_memory_store(base::Executor& executor);

}  // namespace skiff::store
