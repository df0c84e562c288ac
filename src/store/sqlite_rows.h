// The rows of state.db as typed reads and writes. Transactions are the caller's.
#pragma once

#include "store/sqlite_connection.h"

#include <vector>

namespace skiff::store {

struct Meta {
  Revision ceiling = 0;
  Revision floor = 0;
  bool clean = true;
};

// Thread-compatible.
class SqliteRows {
 public:
  static base::Result<std::unique_ptr<SqliteRows>> open(const std::string& path, const char* vfs);

  SqliteConnection& connection() { return *connection_; }

  // The revision on disk, nullopt when there is no row.
  base::Result<std::optional<Revision>> revision_of(std::string_view key);
  // The value on disk; empty when the row is gone or damaged.
  base::Result<base::SharedBytes> value_of(std::string_view key);
  base::Status put(std::string_view key, Revision revision, Durability durability,
                   std::string_view value);
  base::Status remove(std::string_view key);

  base::Result<Meta> read_meta();
  // `read` gives names and values.
  static base::Result<Meta> read_meta_from(Statement& read);
  base::Status write_meta(const Meta& meta);
  // A write that changes nothing, to see whether the disk takes one.
  base::Status touch();
  // Whether every page of the database can be read. Errors: data_loss.
  base::Status verify();
  base::Result<std::vector<std::string>> read_lagging();
  base::Status add_lagging(std::string_view prefix);
  base::Status save(std::string_view key, Revision revision, std::string_view value);
  base::Status clear_saved();
  // Moves the row to the table of damaged records.
  base::Status set_aside(std::int64_t id, std::string_view reason);

  struct Row {
    std::int64_t id = 0;
    std::string_view key;
    Revision revision = 0;
    std::string_view record;
  };
  // Every row in key order; the views live until the call returns.
  base::Status each_object(base::UniqueFunction<void(const Row&)> visit);
  base::Status each_saved(base::UniqueFunction<void(const Row&)> visit);

 private:
  SqliteRows() = default;
  base::Status prepare_all();
  base::Status each(std::string_view sql, base::UniqueFunction<void(const Row&)>& visit);
  base::Status set_number(const char* name, std::uint64_t number);

  std::unique_ptr<SqliteConnection> connection_;
  Statement revision_of_, value_of_, put_, remove_, set_number_;
  std::string buffer_;
};

}  // namespace skiff::store
