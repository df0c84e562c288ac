// A thin SQLite VFS over another one: counts what is written and synced, and remembers which part
// of the log no sync has covered, so that it can be cut off after a failed sync.
#pragma once

#include <skiff/base/result.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

struct sqlite3_vfs;

namespace skiff::store {

// Thread-safe counters; everything else is used by one thread at a time.
class SyncVfs {
 public:
  // `base_name` null: the system's own. Errors: invalid_argument, no VFS of that name.
  static base::Result<std::unique_ptr<SyncVfs>> make(const char* base_name);
  ~SyncVfs();
  SyncVfs(const SyncVfs&) = delete;
  SyncVfs& operator=(const SyncVfs&) = delete;

  const char* name() const { return name_.c_str(); }
  std::uint64_t log_syncs() const { return log_syncs_.load(std::memory_order_relaxed); }
  std::uint64_t bytes_written() const { return bytes_written_.load(std::memory_order_relaxed); }
  // A sync failed since the last cut_unsynced_log().
  bool sync_failed() const { return sync_failed_; }
  // errno of the last write that failed; 0 = none. SQLite itself forgets it at a commit.
  int write_errno() const { return write_errno_; }
  // Takes off the end of the log that was written after the last good sync, so that a commit whose
  // sync failed cannot come back. REQUIRES: the database is closed.
  base::Status cut_unsynced_log(const std::string& log_path);

 private:
  struct File;
  struct Methods;
  SyncVfs() = default;

  sqlite3_vfs* base_ = nullptr;
  std::unique_ptr<sqlite3_vfs> vfs_;
  std::string name_;
  std::atomic<std::uint64_t> log_syncs_ = 0;
  std::atomic<std::uint64_t> bytes_written_ = 0;
  bool sync_failed_ = false;
  int write_errno_ = 0;
  std::int64_t unsynced_from_ = -1;  // -1: all of the log is synced
};

}  // namespace skiff::store
