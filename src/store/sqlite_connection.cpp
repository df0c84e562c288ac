#include "store/sqlite_connection.h"

#include "store/limits.h"
#include "store/sqlite_schema.h"

#include <skiff/base/strings.h>

#include <sqlite3.h>
#include <cerrno>
#include <utility>

namespace skiff::store {

namespace {

bool is_damage(int rc) {
  int primary = rc & 0xff;
  return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_FORMAT;
}

Health health_of(int rc, int system_error) {
  switch (rc & 0xff) {
    case SQLITE_FULL: return Health::disk_full;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM: return Health::read_only;
    case SQLITE_IOERR:
      if (rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC) return Health::failed;
      if (system_error == ENOSPC || system_error == EDQUOT) return Health::disk_full;
      if (system_error == EROFS) return Health::read_only;
      return Health::failed;
    default: return Health::failed;
  }
}

}  // namespace

base::Status sqlite_status(sqlite3* db, int rc, std::string_view what) {
  const char* text = db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
  return {is_damage(rc) ? base::Code::data_loss : base::Code::unavailable,
          base::concat(what, ": ", text)};
}

base::Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const std::string& path,
                                                                       const char* vfs) {
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection);
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
              SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
  int rc = sqlite3_open_v2(path.c_str(), &connection->db_, flags, vfs);
  if (rc != SQLITE_OK) return sqlite_status(connection->db_, rc, base::concat("open ", path));
  SKIFF_RETURN_IF_ERROR(connection->set_up().with_context(path));
  return connection;
}

base::Status SqliteConnection::set_up() {
  sqlite3_db_config(db_, SQLITE_DBCONFIG_LOOKASIDE, nullptr, 0, 0);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  // Exclusive before the journal mode: then the index of the log is on the heap, not in a file.
  std::string pragmas = base::concat(
      "PRAGMA page_size=", kPageBytes, ";PRAGMA locking_mode=EXCLUSIVE;PRAGMA cache_size=-",
      kCacheKibibytes, ";PRAGMA temp_store=MEMORY;PRAGMA cell_size_check=ON;");
  SKIFF_RETURN_IF_ERROR(execute(pragmas.c_str()));
  SKIFF_RETURN_IF_ERROR(execute("PRAGMA journal_mode=WAL"));
  std::string log =
      base::concat("PRAGMA synchronous=FULL;PRAGMA wal_autocheckpoint=0;PRAGMA journal_size_limit=",
                   kLogBytesMax);
  SKIFF_RETURN_IF_ERROR(execute(log.c_str()));
  auto on_commit = [](void* self, sqlite3*, const char*, int frames) {
    static_cast<SqliteConnection*>(self)->log_frames_ = frames;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(db_, on_commit, this);
  return ensure_schema(*this);
}

SqliteConnection::~SqliteConnection() {
  if (db_ != nullptr) sqlite3_close_v2(db_);
}

base::Status SqliteConnection::execute(const char* sql) {
  int rc = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return sqlite_status(db_, rc, sql);
  return {};
}

DatabaseError SqliteConnection::last_error(int write_errno) const {
  return {health_of(sqlite3_extended_errcode(db_), write_errno), sqlite3_errmsg(db_)};
}

bool SqliteConnection::in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }

base::Result<int> SqliteConnection::checkpoint() {
  int frames = 0;
  int copied = 0;
  int rc = sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
  if (rc != SQLITE_OK) return sqlite_status(db_, rc, "copy the log into the database");
  log_frames_ = frames - copied;
  return log_frames_;
}

void SqliteConnection::keep_log_on_close() {
  sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  return *this;
}

base::Result<Statement> Statement::prepare(SqliteConnection& connection, std::string_view sql) {
  Statement made;
  int rc = sqlite3_prepare_v3(connection.handle(), sql.data(), static_cast<int>(sql.size()),
                              SQLITE_PREPARE_PERSISTENT, &made.statement_, nullptr);
  if (rc != SQLITE_OK) return sqlite_status(connection.handle(), rc, sql);
  return made;
}

void Statement::bind_text(int index, std::string_view text) {
  int rc =
      sqlite3_bind_text64(statement_, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  SKIFF_ASSERT(rc == SQLITE_OK);
}

void Statement::bind_blob(int index, std::string_view bytes) {
  int rc = sqlite3_bind_blob64(statement_, index, bytes.data(), bytes.size(), SQLITE_STATIC);
  SKIFF_ASSERT(rc == SQLITE_OK);
}

void Statement::bind_int(int index, std::int64_t number) {
  int rc = sqlite3_bind_int64(statement_, index, number);
  SKIFF_ASSERT(rc == SQLITE_OK);
}

base::Result<bool> Statement::step() {
  int rc = sqlite3_step(statement_);
  if (rc == SQLITE_ROW) return true;
  sqlite3* db = sqlite3_db_handle(statement_);
  base::Status failed;
  if (rc != SQLITE_DONE) failed = sqlite_status(db, rc, sqlite3_sql(statement_));
  sqlite3_reset(statement_);
  if (rc == SQLITE_DONE) return false;
  return failed;
}

base::Status Statement::run() {
  auto stepped = step();
  if (stepped.is_ok() && *stepped) reset();
  return stepped.status();
}

void Statement::reset() { sqlite3_reset(statement_); }

std::string_view Statement::column_bytes(int index) const {
  const void* bytes = sqlite3_column_blob(statement_, index);
  int size = sqlite3_column_bytes(statement_, index);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

std::int64_t Statement::column_int(int index) const {
  return sqlite3_column_int64(statement_, index);
}

}  // namespace skiff::store
