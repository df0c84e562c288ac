#include "store/sqlite_schema.h"

#include <skiff/base/strings.h>

namespace skiff::store {

namespace {

// objects  current records; `record` as in record_format.h
// meta     ceiling: no revision above it was given out; clean: 1 after an orderly stop; floor: what
//          records of lagging kinds are at least at, since the last unclean start
// lagging  key prefixes of kinds that were ever written relaxed or volatile
// saved    volatile records between an orderly stop and the next start
// damaged  records set aside
constexpr const char* kTables = R"(
BEGIN IMMEDIATE;
CREATE TABLE objects(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL,
                     record BLOB NOT NULL);
CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE lagging(prefix TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE saved(key TEXT PRIMARY KEY, revision INTEGER NOT NULL, record BLOB NOT NULL);
CREATE TABLE damaged(id INTEGER PRIMARY KEY, key TEXT NOT NULL, revision INTEGER NOT NULL,
                     reason TEXT NOT NULL, record BLOB NOT NULL);
INSERT INTO meta VALUES('ceiling', 0), ('clean', 1), ('floor', 0);
PRAGMA user_version=1;
COMMIT;
)";

}  // namespace

base::Status ensure_schema(SqliteConnection& connection) {
  SKIFF_ASSIGN_OR_RETURN(auto version, Statement::prepare(connection, "PRAGMA user_version"));
  SKIFF_ASSIGN_OR_RETURN(bool has_row, version.step());
  SKIFF_ASSERT(has_row);
  std::int64_t format = version.column_int(0);
  version.reset();
  if (format == kSchemaFormat) return {};
  if (format != 0)
    return {base::Code::data_loss,
            base::concat("format ", format, " is of a newer skiff; this one knows format ",
                         kSchemaFormat)};
  return connection.execute(kTables);
}

}  // namespace skiff::store
