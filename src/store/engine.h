// The state of an open database: revisions, what is in memory only, how to commit a group and what
// to do when the disk refuses.
#pragma once

#include "store/group.h"
#include "store/overlay.h"
#include "store/sqlite_rows.h"
#include "store/sync_vfs.h"

#include <functional>
#include <set>

namespace skiff::store {

// Thread-compatible: the opening thread first, then the writer thread.
class Engine final : GroupBase {
 public:
  static base::Result<std::unique_ptr<Engine>> open(const SqliteOptions& options,
                                                    const base::Clock& clock);

  base::Result<Store::Loaded> load(base::UniqueFunction<void(Record)>& each);

  struct Outcome {
    std::vector<base::Result<Revision>> answers;  // one per write
    std::vector<Event> events;
    Revision upto = 0;
    bool transaction = false;
  };
  Outcome commit(std::span<const Write* const> writes);

  bool has_relaxed() const { return !overlay_.relaxed.empty(); }
  // Puts answered relaxed writes on disk.
  base::Status flush_relaxed();
  // After a failure: opens again if need be and tries whether the disk takes writes.
  void try_recovery();
  // When nobody waits: copies the log into the database if it has grown.
  void tidy_up(bool idle);
  base::Status close();

  const HealthReport& health() const { return health_; }
  const SyncVfs& vfs() const { return *vfs_; }
  std::uint64_t transactions() const { return transactions_; }

 private:
  Engine() = default;
  base::Result<KeyState> state_of(std::string_view key) override;
  base::Result<base::SharedBytes> value_of(std::string_view key) override;
  bool is_relaxed_pending(std::string_view key) override;

  base::Status load_all(base::UniqueFunction<void(Record)>& each,
                        std::vector<DamagedRecord>* damaged, std::string* last_key);
  base::Status load_saved(std::vector<DamagedRecord>* damaged);
  base::Status load_objects(base::UniqueFunction<void(Record)>& each,
                            std::vector<DamagedRecord>* damaged, std::string* last_key);
  Revision shown_revision(std::string_view key, Revision on_disk) const;

  // The two halves of commit().
  bool try_group(std::span<const Write* const> writes, bool disk, Outcome* outcome);
  std::set<std::string> new_lagging(std::span<const Write* const> writes) const;
  void publish(Group& group, bool on_disk);

  // Runs `body` in a transaction, with the bookkeeping that every one carries. On an error nothing
  // was written and health() says why.
  base::Status transact(Revision upto, std::function<base::Status()> body);
  base::Status write_bookkeeping(const Meta& next);
  base::Status write_pending_relaxed(const Group* group);
  base::Status repair_if_needed();
  void note_failure();
  base::Status refusal() const;

  std::string path_;
  const base::Clock* clock_ = nullptr;
  std::unique_ptr<SyncVfs> vfs_;
  std::unique_ptr<SqliteRows> rows_;  // null while a failed database is closed
  Overlay overlay_;
  std::size_t relaxed_bytes_ = 0;
  std::set<std::string, std::less<>> lagging_;
  Meta meta_;  // as on disk
  Revision revision_ = 0;
  bool primed_ = false;  // the bookkeeping of this start is on disk
  std::vector<std::pair<std::int64_t, std::string>> set_aside_;  // rows to move, with the reason
  HealthReport health_;
  base::MonotonicTime next_reopen_;
  std::uint64_t transactions_ = 0;
};

}  // namespace skiff::store
