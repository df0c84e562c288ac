// The start of an engine: revisions, records, what is set aside.
#include "store/engine.h"
#include "store/record_format.h"
#include "store/salvage.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include <map>

namespace skiff::store {

base::Result<Store::Loaded> Engine::load(base::UniqueFunction<void(Record)>& each) {
  Store::Loaded loaded;
  std::string last_key;
  auto status = load_all(each, &loaded.damaged, &last_key);
  if (status.code() == base::Code::data_loss) {
    // Pages are torn: what can be read moves to a new file, and the reading goes on there.
    base::log_error("the database is damaged; salvaging it", {{"path", path_}, {"error", status}});
    if (rows_) rows_->connection().keep_log_on_close();
    rows_.reset();
    set_aside_.clear();
    SKIFF_RETURN_IF_ERROR(salvage_database(path_, *vfs_, &loaded.damaged));
    SKIFF_ASSIGN_OR_RETURN(rows_, SqliteRows::open(path_, vfs_->name()));
    status = load_all(each, &loaded.damaged, &last_key);
  }
  // A disk that takes no writes must not keep us from serving: health() says so.
  if (status.code() == base::Code::data_loss) return status;
  for (const auto& record : loaded.damaged)
    base::log_error("a damaged record was set aside",
                    {{"key", record.key}, {"reason", record.reason}});
  loaded.revision = revision_;
  return loaded;
}

base::Status Engine::load_all(base::UniqueFunction<void(Record)>& each,
                              std::vector<DamagedRecord>* damaged, std::string* last_key) {
  SKIFF_ASSIGN_OR_RETURN(meta_, rows_->read_meta());
  SKIFF_ASSIGN_OR_RETURN(auto lagging, rows_->read_lagging());
  lagging_.insert(lagging.begin(), lagging.end());
  revision_ = meta_.ceiling;
  if (!meta_.clean) meta_.floor = ++revision_;
  SKIFF_RETURN_IF_ERROR(load_saved(damaged));
  SKIFF_RETURN_IF_ERROR(load_objects(each, damaged, last_key));
  return transact(revision_, [] { return base::Status(); });
}

base::Status Engine::load_saved(std::vector<DamagedRecord>* damaged) {
  auto visit = [&](const SqliteRows::Row& row) {
    auto value = decode_record(row.key, row.revision, row.record);
    if (!value) {
      damaged->push_back({std::string(row.key), std::string(value.status().message())});
      return;
    }
    KeyState state;
    state.present = true;
    state.revision = row.revision;
    state.value = base::SharedBytes(*value);
    overlay_.volatile_records.insert_or_assign(std::string(row.key), std::move(state));
  };
  return rows_->each_saved(visit);
}

base::Status Engine::load_objects(base::UniqueFunction<void(Record)>& each,
                                  std::vector<DamagedRecord>* damaged, std::string* last_key) {
  std::map<std::string_view, KeyState*> saved;
  for (auto& [key, state] : overlay_.volatile_records)
    if (key > *last_key) saved.emplace(key, &state);
  auto next_saved = saved.begin();
  auto give = [&](std::string_view key, base::SharedBytes value, Revision revision) {
    *last_key = key;
    each(Record{std::string(key), std::move(value), revision});
  };
  auto give_saved_below = [&](const std::string_view* key) {
    for (; next_saved != saved.end() && (key == nullptr || next_saved->first < *key); ++next_saved)
      give(next_saved->first, next_saved->second->value, next_saved->second->revision);
  };
  auto visit = [&](const SqliteRows::Row& row) {
    if (!last_key->empty() && row.key <= *last_key) return;
    give_saved_below(&row.key);
    if (next_saved != saved.end() && next_saved->first == row.key) {
      next_saved->second->on_disk = true;
      return;
    }
    auto value = decode_record(row.key, row.revision, row.record);
    if (!value) {
      std::string reason(value.status().message());
      damaged->push_back({std::string(row.key), reason});
      set_aside_.emplace_back(row.id, std::move(reason));
      return;
    }
    give(row.key, base::SharedBytes(*value), shown_revision(row.key, row.revision));
  };
  SKIFF_RETURN_IF_ERROR(rows_->each_object(visit));
  give_saved_below(nullptr);
  return {};
}

}  // namespace skiff::store
