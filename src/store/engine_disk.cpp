// How an engine writes to the disk, and what it does when the disk refuses.
#include "store/engine.h"
#include "store/limits.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::store {

base::Status Engine::transact(Revision upto, std::function<base::Status()> body) {
  Meta next = meta_;
  next.clean = false;
  if (upto + kRevisionsReserved / 2 > meta_.ceiling)
    next.ceiling = std::max(upto, meta_.ceiling) + kRevisionsReserved;
  SqliteConnection& db = rows_->connection();
  base::Status status = db.execute("BEGIN IMMEDIATE");
  if (status.is_ok()) status = write_bookkeeping(next);
  if (status.is_ok()) status = body();
  if (status.is_ok()) status = db.execute("COMMIT");
  if (!status.is_ok()) {
    note_failure();
    // With the handle closed the transaction is gone too.
    if (rows_ && db.in_transaction()) static_cast<void>(db.execute("ROLLBACK").is_ok());
    return status;
  }
  meta_ = next;
  primed_ = true;
  set_aside_.clear();
  ++transactions_;
  if (health_.health != Health::writable) {
    base::log_info("the store writes again", {{"path", path_}});
    health_ = {};
  }
  return {};
}

base::Status Engine::write_bookkeeping(const Meta& next) {
  if (primed_ && next.ceiling == meta_.ceiling) return {};
  SKIFF_RETURN_IF_ERROR(rows_->write_meta(next));
  if (primed_) return {};
  SKIFF_RETURN_IF_ERROR(rows_->clear_saved());
  for (const auto& [id, reason] : set_aside_) SKIFF_RETURN_IF_ERROR(rows_->set_aside(id, reason));
  return {};
}

// After a failed sync, or anything that nothing explains, this handle is not used again.
void Engine::note_failure() {
  DatabaseError error = rows_->connection().last_error(vfs_->write_errno());
  Health before = health_.health;
  health_ = {error.health, error.reason};
  if (vfs_->sync_failed()) health_ = {Health::failed, "the disk did not confirm a write"};
  if (before != health_.health)
    base::log_error("the store cannot write", {{"path", path_}, {"error", health_.reason}});
  if (health_.health != Health::failed) return;
  rows_->connection().keep_log_on_close();
  rows_.reset();
}

base::Status Engine::repair_if_needed() {
  if (rows_) return {};
  base::MonotonicTime now = clock_->monotonic();
  if (now < next_reopen_) return refusal();
  next_reopen_ = now + kReopenInterval;
  auto failed = [this](const base::Status& status) {
    health_ = {Health::failed, std::string(status.message())};
    return refusal();
  };
  auto cut = vfs_->cut_unsynced_log(path_ + "-wal");
  if (!cut.is_ok()) return failed(cut);
  auto rows = SqliteRows::open(path_, vfs_->name());
  if (!rows) return failed(rows.status());
  auto sound = (*rows)->verify();
  if (!sound.is_ok()) return failed(sound);
  rows_ = std::move(*rows);
  return {};
}

void Engine::try_recovery() {
  if (health_.health == Health::writable) return;
  if (!repair_if_needed().is_ok()) return;
  static_cast<void>(transact(revision_, [this] { return rows_->touch(); }).is_ok());
}

base::Status Engine::refusal() const {
  return base::unavailable(
      base::concat("the store cannot write now: ",
                   health_.reason.empty() ? "the database is closed" : health_.reason));
}

}  // namespace skiff::store
