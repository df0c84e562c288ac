#include "store/sqlite_rows.h"

#include "store/record_format.h"

namespace skiff::store {

base::Result<std::unique_ptr<SqliteRows>> SqliteRows::open(const std::string& path,
                                                           const char* vfs) {
  std::unique_ptr<SqliteRows> rows(new SqliteRows);
  SKIFF_ASSIGN_OR_RETURN(rows->connection_, SqliteConnection::open(path, vfs));
  SKIFF_RETURN_IF_ERROR(rows->prepare_all());
  return rows;
}

base::Status SqliteRows::prepare_all() {
  SqliteConnection& db = *connection_;
  SKIFF_ASSIGN_OR_RETURN(revision_of_,
                         Statement::prepare(db, "SELECT revision FROM objects WHERE key=?1"));
  SKIFF_ASSIGN_OR_RETURN(
      value_of_, Statement::prepare(db, "SELECT revision, record FROM objects WHERE key=?1"));
  SKIFF_ASSIGN_OR_RETURN(
      put_, Statement::prepare(
                db,
                "INSERT INTO objects(key, revision, record) VALUES(?1, ?2, ?3) ON CONFLICT(key) "
                "DO UPDATE SET revision=excluded.revision, record=excluded.record"));
  SKIFF_ASSIGN_OR_RETURN(remove_, Statement::prepare(db, "DELETE FROM objects WHERE key=?1"));
  SKIFF_ASSIGN_OR_RETURN(set_number_,
                         Statement::prepare(db, "UPDATE meta SET value=?2 WHERE name=?1"));
  return {};
}

base::Result<std::optional<Revision>> SqliteRows::revision_of(std::string_view key) {
  revision_of_.bind_text(1, key);
  SKIFF_ASSIGN_OR_RETURN(bool found, revision_of_.step());
  if (!found) return std::optional<Revision>();
  auto revision = static_cast<Revision>(revision_of_.column_int(0));
  revision_of_.reset();
  return std::optional(revision);
}

base::Result<base::SharedBytes> SqliteRows::value_of(std::string_view key) {
  value_of_.bind_text(1, key);
  SKIFF_ASSIGN_OR_RETURN(bool found, value_of_.step());
  base::SharedBytes value;
  if (!found) return value;
  auto revision = static_cast<Revision>(value_of_.column_int(0));
  auto decoded = decode_record(key, revision, value_of_.column_bytes(1));
  if (decoded) value = base::SharedBytes(*decoded);
  value_of_.reset();
  return value;
}

base::Status SqliteRows::put(std::string_view key, Revision revision, Durability durability,
                             std::string_view value) {
  encode_record(key, revision, durability, value, &buffer_);
  put_.bind_text(1, key);
  put_.bind_int(2, static_cast<std::int64_t>(revision));
  put_.bind_blob(3, buffer_);
  return put_.run();
}

base::Status SqliteRows::remove(std::string_view key) {
  remove_.bind_text(1, key);
  return remove_.run();
}

base::Result<Meta> SqliteRows::read_meta() {
  SKIFF_ASSIGN_OR_RETURN(auto read,
                         Statement::prepare(*connection_, "SELECT name, value FROM meta"));
  return read_meta_from(read);
}

base::Result<Meta> SqliteRows::read_meta_from(Statement& read) {
  Meta meta;
  int rows = 0;
  for (;; ++rows) {
    SKIFF_ASSIGN_OR_RETURN(bool has_row, read.step());
    if (!has_row) break;
    auto number = static_cast<std::uint64_t>(read.column_int(1));
    std::string_view name = read.column_bytes(0);
    if (name == "ceiling") meta.ceiling = number;
    if (name == "floor") meta.floor = number;
    if (name == "clean") meta.clean = number != 0;
  }
  if (rows < 3) return base::Status(base::Code::data_loss, "the table meta is not whole");
  return meta;
}

base::Status SqliteRows::write_meta(const Meta& meta) {
  SKIFF_RETURN_IF_ERROR(set_number("ceiling", meta.ceiling));
  SKIFF_RETURN_IF_ERROR(set_number("floor", meta.floor));
  return set_number("clean", meta.clean ? 1 : 0);
}

base::Status SqliteRows::touch() {
  return connection_->execute("UPDATE meta SET value=value WHERE name='floor'");
}

base::Status SqliteRows::verify() {
  SKIFF_ASSIGN_OR_RETURN(auto check, Statement::prepare(*connection_, "PRAGMA quick_check(1)"));
  SKIFF_ASSIGN_OR_RETURN(bool has_row, check.step());
  if (has_row && check.column_bytes(0) == "ok") return {};
  return {base::Code::data_loss, has_row ? std::string(check.column_bytes(0)) : "no answer"};
}

base::Status SqliteRows::set_number(const char* name, std::uint64_t number) {
  set_number_.bind_text(1, name);
  set_number_.bind_int(2, static_cast<std::int64_t>(number));
  return set_number_.run();
}

base::Result<std::vector<std::string>> SqliteRows::read_lagging() {
  SKIFF_ASSIGN_OR_RETURN(auto read, Statement::prepare(*connection_, "SELECT prefix FROM lagging"));
  std::vector<std::string> prefixes;
  for (;;) {
    SKIFF_ASSIGN_OR_RETURN(bool has_row, read.step());
    if (!has_row) return prefixes;
    prefixes.emplace_back(read.column_bytes(0));
  }
}

base::Status SqliteRows::add_lagging(std::string_view prefix) {
  SKIFF_ASSIGN_OR_RETURN(
      auto add, Statement::prepare(*connection_, "INSERT OR IGNORE INTO lagging VALUES(?1)"));
  add.bind_text(1, prefix);
  return add.run();
}

base::Status SqliteRows::save(std::string_view key, Revision revision, std::string_view value) {
  SKIFF_ASSIGN_OR_RETURN(auto insert,
                         Statement::prepare(*connection_, "INSERT INTO saved VALUES(?1, ?2, ?3)"));
  encode_record(key, revision, Durability::volatile_, value, &buffer_);
  insert.bind_text(1, key);
  insert.bind_int(2, static_cast<std::int64_t>(revision));
  insert.bind_blob(3, buffer_);
  return insert.run();
}

base::Status SqliteRows::clear_saved() { return connection_->execute("DELETE FROM saved"); }

base::Status SqliteRows::set_aside(std::int64_t id, std::string_view reason) {
  SKIFF_ASSIGN_OR_RETURN(auto copy,
                         Statement::prepare(*connection_,
                                            "INSERT INTO damaged(key, revision, reason, record) "
                                            "SELECT key, revision, ?2, record FROM objects "
                                            "WHERE id=?1"));
  copy.bind_int(1, id);
  copy.bind_text(2, reason);
  SKIFF_RETURN_IF_ERROR(copy.run());
  SKIFF_ASSIGN_OR_RETURN(auto remove,
                         Statement::prepare(*connection_, "DELETE FROM objects WHERE id=?1"));
  remove.bind_int(1, id);
  return remove.run();
}

base::Status SqliteRows::each_object(base::UniqueFunction<void(const Row&)> visit) {
  return each("SELECT id, key, revision, record FROM objects ORDER BY key", visit);
}

base::Status SqliteRows::each_saved(base::UniqueFunction<void(const Row&)> visit) {
  return each("SELECT rowid, key, revision, record FROM saved ORDER BY key", visit);
}

base::Status SqliteRows::each(std::string_view sql, base::UniqueFunction<void(const Row&)>& visit) {
  SKIFF_ASSIGN_OR_RETURN(auto read, Statement::prepare(*connection_, sql));
  for (;;) {
    SKIFF_ASSIGN_OR_RETURN(bool has_row, read.step());
    if (!has_row) return {};
    Row row;
    row.id = read.column_int(0);
    row.key = read.column_bytes(1);
    row.revision = static_cast<Revision>(read.column_int(2));
    row.record = read.column_bytes(3);
    visit(row);
  }
}

}  // namespace skiff::store
