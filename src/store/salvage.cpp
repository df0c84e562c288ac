#include "store/salvage.h"

#include "store/group.h"
#include "store/record_format.h"
#include "store/sqlite_rows.h"

#include <skiff/base/strings.h>
#include <skiff/base/unique_fd.h>

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <set>

namespace skiff::store {

namespace {

struct Place {
  std::int64_t id = 0;
  std::string key;
};

// The index of keys and the table are different pages: what one lost the other may still have.
std::vector<Place> places_of(SqliteConnection& old_db) {
  std::vector<Place> places;
  for (const char* sql : {"SELECT id, key FROM objects ORDER BY key",
                          "SELECT id, key FROM objects NOT INDEXED ORDER BY id"}) {
    auto list = Statement::prepare(old_db, sql);
    if (!list) continue;
    std::vector<Place> found;
    for (;;) {
      auto has_row = list->step();
      if (!has_row.is_ok() || !*has_row) break;
      found.push_back({list->column_int(0), std::string(list->column_bytes(1))});
    }
    if (found.size() > places.size()) places = std::move(found);
  }
  return places;
}

// What was seen while copying, for a file whose bookkeeping is torn too.
struct Seen {
  Revision newest = 0;
  std::set<std::string> kinds;
};

base::Status copy_rows(SqliteConnection& old_db, SqliteRows& fresh,
                       std::vector<DamagedRecord>* damaged, Seen* seen) {
  SKIFF_ASSIGN_OR_RETURN(
      auto read, Statement::prepare(old_db, "SELECT revision, record FROM objects WHERE id=?1"));
  SKIFF_ASSIGN_OR_RETURN(auto insert,
                         Statement::prepare(fresh.connection(),
                                            "INSERT INTO objects(key, revision, record) "
                                            "VALUES(?1, ?2, ?3) ON CONFLICT(key) DO NOTHING"));
  for (const Place& place : places_of(old_db)) {
    read.bind_int(1, place.id);
    auto has_row = read.step();
    if (!has_row.is_ok() || !*has_row) {
      damaged->push_back({place.key, "its page in the database cannot be read"});
      continue;
    }
    auto revision = static_cast<Revision>(read.column_int(0));
    auto record = read.column_bytes(1);
    if (auto value = decode_record(place.key, revision, record); !value) {
      damaged->push_back({place.key, std::string(value.status().message())});
    } else {
      insert.bind_text(1, place.key);
      insert.bind_int(2, static_cast<std::int64_t>(revision));
      insert.bind_blob(3, record);
      SKIFF_RETURN_IF_ERROR(insert.run());
      seen->newest = std::max(seen->newest, revision);
      seen->kinds.emplace(kind_prefix_of(place.key));
    }
    read.reset();
  }
  return {};
}

base::Result<Meta> read_old_meta(SqliteConnection& old_db) {
  SKIFF_ASSIGN_OR_RETURN(auto read, Statement::prepare(old_db, "SELECT name, value FROM meta"));
  return SqliteRows::read_meta_from(read);
}

base::Status copy_all(SqliteConnection& old_db, SqliteRows& fresh,
                      std::vector<DamagedRecord>* damaged) {
  Seen seen;
  SKIFF_RETURN_IF_ERROR(fresh.connection().execute("BEGIN IMMEDIATE"));
  SKIFF_RETURN_IF_ERROR(copy_rows(old_db, fresh, damaged, &seen));
  // Far above whatever was given out; as after an unclean stop.
  constexpr Revision kFarAhead = Revision{1} << 32;
  auto meta = read_old_meta(old_db);
  Meta kept = meta.is_ok() ? *meta : Meta{seen.newest + kFarAhead, 0, false};
  kept.clean = false;
  SKIFF_RETURN_IF_ERROR(fresh.write_meta(kept));
  // Every kind counts as lagging: its newest record may be the one that is lost.
  for (const auto& kind : seen.kinds) SKIFF_RETURN_IF_ERROR(fresh.add_lagging(kind));
  return fresh.connection().execute("COMMIT");
}

base::Status sync_folder_of(const std::string& path) {
  std::string folder = path.substr(0, path.rfind('/'));
  base::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return base::errno_status(errno, "sync " + folder);
  return {};
}

}  // namespace

base::Status salvage_database(const std::string& path, SyncVfs& vfs,
                              std::vector<DamagedRecord>* damaged) {
  std::string fresh_path = path + ".salvaged";
  for (const char* suffix : {"", "-wal", "-journal"}) ::unlink((fresh_path + suffix).c_str());
  {
    SKIFF_ASSIGN_OR_RETURN(auto old_db, SqliteConnection::open(path, vfs.name()));
    // As far as it goes: then the log of the old file is not needed any more.
    static_cast<void>(old_db->checkpoint().is_ok());
    SKIFF_ASSIGN_OR_RETURN(auto fresh, SqliteRows::open(fresh_path, vfs.name()));
    SKIFF_RETURN_IF_ERROR(copy_all(*old_db, *fresh, damaged));
    SKIFF_ASSIGN_OR_RETURN(int frames_left, fresh->connection().checkpoint());
    if (frames_left != 0) return base::unavailable("the salvaged file is not complete");
    old_db->keep_log_on_close();
  }
  // At every moment `path` names the old or the new file.
  ::unlink((path + ".damaged").c_str());
  if (::link(path.c_str(), (path + ".damaged").c_str()) != 0)
    return base::errno_status(errno, "keep " + path);
  if (::rename((path + "-wal").c_str(), (path + ".damaged-wal").c_str()) != 0 && errno != ENOENT)
    return base::errno_status(errno, "rename " + path + "-wal");
  if (::rename(fresh_path.c_str(), path.c_str()) != 0)
    return base::errno_status(errno, "rename " + fresh_path);
  return sync_folder_of(path);
}

}  // namespace skiff::store
