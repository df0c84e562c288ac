// The tables of state.db.
#pragma once

#include "store/sqlite_connection.h"

namespace skiff::store {

constexpr int kSchemaFormat = 1;

// Makes the tables in an empty file. Errors: data_loss when a newer skiff wrote the file.
base::Status ensure_schema(SqliteConnection& connection);

}  // namespace skiff::store
