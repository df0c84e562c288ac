#include "store/engine.h"

#include "store/limits.h"
#include "store/record_format.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::store {

base::Result<std::unique_ptr<Engine>> Engine::open(const SqliteOptions& options,
                                                   const base::Clock& clock) {
  std::unique_ptr<Engine> engine(new Engine);
  engine->path_ = options.folder + "/state.db";
  engine->clock_ = &clock;
  SKIFF_ASSIGN_OR_RETURN(engine->vfs_, SyncVfs::make(options.vfs));
  SKIFF_ASSIGN_OR_RETURN(engine->rows_, SqliteRows::open(engine->path_, engine->vfs_->name()));
  return engine;
}

Revision Engine::shown_revision(std::string_view key, Revision on_disk) const {
  if (on_disk >= meta_.floor || !lagging_.contains(kind_prefix_of(key))) return on_disk;
  return meta_.floor;
}

base::Result<KeyState> Engine::state_of(std::string_view key) {
  if (const KeyState* known = overlay_.find(key)) return *known;
  if (!rows_) return refusal();
  auto revision = rows_->revision_of(key);
  if (!revision) {
    note_failure();
    return refusal();
  }
  KeyState state;
  if (!revision->has_value()) return state;
  state.present = true;
  state.on_disk = true;
  state.revision = shown_revision(key, **revision);
  return state;
}

base::Result<base::SharedBytes> Engine::value_of(std::string_view key) {
  if (!rows_) return refusal();
  return rows_->value_of(key);
}

bool Engine::is_relaxed_pending(std::string_view key) {
  return overlay_.relaxed.find(key) != overlay_.relaxed.end();
}

Engine::Outcome Engine::commit(std::span<const Write* const> writes) {
  Outcome outcome;
  auto durable = [](const Write* write) { return write->durability == Durability::durable; };
  bool disk = std::any_of(writes.begin(), writes.end(), durable) || !new_lagging(writes).empty() ||
              revision_ + writes.size() > meta_.ceiling || !primed_ ||
              relaxed_bytes_ >= kRelaxedBytesMax;
  if (try_group(writes, disk, &outcome)) return outcome;
  // The disk refuses: what does not need it goes through all the same.
  bool can_go_on = primed_ && revision_ + writes.size() <= meta_.ceiling;
  std::vector<const Write*> kept;
  if (can_go_on) {
    std::set<std::string> lagging = new_lagging(writes);
    for (const Write* write : writes) {
      bool known = !lagging.contains(std::string(kind_prefix_of(write->key)));
      bool fits = write->durability == Durability::volatile_ || relaxed_bytes_ < kRelaxedBytesMax;
      if (!durable(write) && known && fits) kept.push_back(write);
    }
  }
  outcome = Outcome();
  if (!kept.empty()) try_group(kept, false, &outcome);
  std::vector<base::Result<Revision>> answers;
  std::size_t next = 0;
  for (const Write* write : writes) {
    bool was_kept = next < kept.size() && kept[next] == write;
    answers.push_back(was_kept ? std::move(outcome.answers[next++])
                               : base::Result<Revision>(refusal()));
  }
  outcome.answers = std::move(answers);
  outcome.upto = revision_;
  return outcome;
}

std::set<std::string> Engine::new_lagging(std::span<const Write* const> writes) const {
  std::set<std::string> fresh;
  for (const Write* write : writes) {
    if (write->durability == Durability::durable) continue;
    std::string_view prefix = kind_prefix_of(write->key);
    if (!lagging_.contains(prefix)) fresh.emplace(prefix);
  }
  return fresh;
}

// False when the disk was needed and refused. Then nothing has changed, except that the revisions
// of the attempt are not used again.
bool Engine::try_group(std::span<const Write* const> writes, bool disk, Outcome* outcome) {
  if (disk && !repair_if_needed().is_ok()) return false;
  Group group(*this, revision_);
  for (const Write* write : writes) outcome->answers.push_back(group.add(*write));
  if (disk && !rows_) return false;  // a read failed just now
  disk = disk && group.revision() > revision_;
  if (disk) {
    std::set<std::string> fresh_lagging = new_lagging(writes);
    auto body = [&]() -> base::Status {
      for (const auto& prefix : fresh_lagging) SKIFF_RETURN_IF_ERROR(rows_->add_lagging(prefix));
      for (const auto& [key, planned] : group.keys()) {
        bool changed = planned.state.revision > revision_;
        if (!changed || planned.durability == Durability::volatile_) continue;
        if (planned.state.present) {
          SKIFF_RETURN_IF_ERROR(rows_->put(key, planned.state.revision, planned.durability,
                                           planned.state.value.view()));
        } else if (planned.state.on_disk) {
          SKIFF_RETURN_IF_ERROR(rows_->remove(key));
        }
      }
      return write_pending_relaxed(&group);
    };
    if (!transact(group.revision(), body).is_ok()) {
      revision_ = std::min(group.revision(), std::max(meta_.ceiling, revision_));
      return false;
    }
    for (const auto& prefix : fresh_lagging) lagging_.insert(prefix);
  }
  publish(group, disk);
  revision_ = group.revision();
  outcome->events = std::move(group.events());
  outcome->upto = revision_;
  outcome->transaction = disk;
  return true;
}

void Engine::publish(Group& group, bool on_disk) {
  if (on_disk) {
    overlay_.relaxed.clear();
    relaxed_bytes_ = 0;
  }
  for (auto& [key, planned] : group.keys()) {
    if (planned.state.revision <= revision_) continue;
    bool volatile_write = planned.durability == Durability::volatile_;
    if (on_disk && !volatile_write) {
      overlay_.forget(key);
      continue;
    }
    if (volatile_write && !planned.state.present && !planned.state.on_disk) {
      overlay_.forget(key);
      continue;
    }
    auto& states = volatile_write ? overlay_.volatile_records : overlay_.relaxed;
    if (!volatile_write) {
      if (auto old = states.find(key); old != states.end())
        relaxed_bytes_ -= old->second.value.size() + key.size();
      relaxed_bytes_ += planned.state.value.size() + key.size();
      overlay_.forget(key);
    }
    states.insert_or_assign(std::string(key), std::move(planned.state));
  }
}

base::Status Engine::write_pending_relaxed(const Group* group) {
  for (const auto& [key, state] : overlay_.relaxed) {
    if (group != nullptr) {
      auto& keys = const_cast<Group*>(group)->keys();
      auto at = keys.find(key);
      if (at != keys.end() && at->second.state.revision > revision_) continue;  // newer is written
    }
    if (state.present) {
      SKIFF_RETURN_IF_ERROR(
          rows_->put(key, state.revision, Durability::relaxed, state.value.view()));
    } else if (state.on_disk) {
      SKIFF_RETURN_IF_ERROR(rows_->remove(key));
    }
  }
  return {};
}

base::Status Engine::flush_relaxed() {
  if (overlay_.relaxed.empty()) return {};
  SKIFF_RETURN_IF_ERROR(repair_if_needed());
  auto body = [this] { return write_pending_relaxed(nullptr); };
  SKIFF_RETURN_IF_ERROR(transact(revision_, body));
  overlay_.relaxed.clear();
  relaxed_bytes_ = 0;
  return {};
}

void Engine::tidy_up(bool idle) {
  if (!rows_) return;
  int frames = rows_->connection().log_frames();
  if (frames < (idle ? kCheckpointFramesSoft : kCheckpointFramesHard)) return;
  auto copied = rows_->connection().checkpoint();
  if (!copied) note_failure();
}

base::Status Engine::close() {
  base::Status status = repair_if_needed();
  if (status.is_ok()) {
    auto body = [this]() -> base::Status {
      SKIFF_RETURN_IF_ERROR(write_pending_relaxed(nullptr));
      for (const auto& [key, state] : overlay_.volatile_records) {
        if (state.present) {
          SKIFF_RETURN_IF_ERROR(rows_->save(key, state.revision, state.value.view()));
        } else {
          SKIFF_RETURN_IF_ERROR(rows_->remove(key));
        }
      }
      Meta meta = meta_;
      meta.ceiling = revision_;
      meta.clean = true;
      return rows_->write_meta(meta);
    };
    status = transact(revision_, body);
  }
  rows_.reset();
  return status;
}

}  // namespace skiff::store
