// One SQLite connection and its prepared statements, with errors as Status.
#pragma once

#include <skiff/base/result.h>
#include <skiff/store/store.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace skiff::store {

// What an error of the database means for those who write.
struct DatabaseError {
  Health health = Health::failed;
  std::string reason;
};

// Thread-compatible.
class SqliteConnection {
 public:
  // Opens or makes the file, sets the journal up, checks and makes the schema.
  // Errors: data_loss (not a database, or of a newer format), unavailable.
  static base::Result<std::unique_ptr<SqliteConnection>> open(const std::string& path,
                                                              const char* vfs);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  base::Status execute(const char* sql);
  // The last failed call, in the terms of Store::health(). `write_errno` is of the last failed
  // write to a file.
  DatabaseError last_error(int write_errno) const;
  bool in_transaction() const;
  // Copies the log into the database. Returns the number of frames that are left.
  base::Result<int> checkpoint();
  int log_frames() const { return log_frames_; }
  // The next close leaves the log as it is.
  void keep_log_on_close();

  sqlite3* handle() const { return db_; }

 private:
  SqliteConnection() = default;
  base::Status set_up();

  sqlite3* db_ = nullptr;
  int log_frames_ = 0;
};

// A prepared statement. step() gives rows; run() expects none.
class Statement {
 public:
  Statement() = default;
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  static base::Result<Statement> prepare(SqliteConnection& connection, std::string_view sql);

  // Text and blobs are not copied: they outlive the run.
  void bind_text(int index, std::string_view text);
  void bind_blob(int index, std::string_view bytes);
  void bind_int(int index, std::int64_t number);

  // True: a row is there. False: no more rows. After an error or false the statement is reset.
  base::Result<bool> step();
  base::Status run();
  void reset();

  // Valid until the next step() or reset().
  std::string_view column_bytes(int index) const;
  std::int64_t column_int(int index) const;

 private:
  sqlite3_stmt* statement_ = nullptr;
};

// A Status of what SQLite said last.
base::Status sqlite_status(sqlite3* db, int rc, std::string_view what);

}  // namespace skiff::store
