#include <skiff/base/clock.h>

#include <algorithm>

#include "registry/durability.h"
#include "registry/limits.h"
#include "registry/registry_impl.h"

namespace skiff::registry {

namespace {

// The latest time that the event names; its creation where it names none.
base::WallTime last_seen(std::string_view json) {
  base::WallTime latest{};
  auto consider = [&](std::initializer_list<std::string_view> path) {
    auto text = api::scan_string(json, path);
    if (!text) return;
    auto time = base::parse_rfc3339(*text);
    if (time.is_ok()) latest = std::max(latest, *time);
  };
  consider({"metadata", "creationTimestamp"});
  consider({"lastTimestamp"});
  consider({"eventTime"});
  consider({"series", "lastObservedTime"});
  return latest;
}

}  // namespace

// Ends the events that are old enough, at most kEventSweepMax; `next` is when the next one ends,
// unchanged when there is none.
base::Task<void> RegistryImpl::sweep_events(base::WallTime now, base::WallTime* next) {
  struct Old {
    std::string key;
    store::Revision revision;
  };
  std::vector<Old> old;
  base::WallTime soonest{};
  snapshot().scan(storage_prefix("", "events", ""), {}, [&](const watch::Entry& entry) {
    auto end = last_seen(api::StoredObject(entry.value, entry.revision).text()) + kEventLifetime;
    if (end <= now && old.size() < kEventSweepMax) {
      old.push_back({std::string(entry.key), entry.revision});
    } else if (soonest == base::WallTime{} || end < soonest) {
      soonest = end;
    }
    return true;
  });
  for (auto& event : old) {
    store::Write write;
    write.op = store::Write::Op::remove;
    write.key = std::move(event.key);
    write.expected = event.revision;
    write.durability = store::Durability::volatile_;
    auto committing = commit(std::move(write));
    // An event that changed meanwhile lives on.
    (void)co_await std::move(committing);
  }
  if (soonest != base::WallTime{}) *next = soonest;
}

base::Task<void> RegistryImpl::expire_events(base::Timers& timers, base::CancelToken cancel) {
  while (!cancel.is_cancelled()) {
    auto before = snapshot().revision();
    base::WallTime next{};
    auto now = options_.clock->now();
    auto sweeping = sweep_events(now, &next);
    co_await std::move(sweeping);
    if (next != base::WallTime{}) {
      auto delay = std::max<base::Duration>(next - now, kEventSweepInterval);
      auto sleeping = base::sleep(timers, delay, cancel);
      (void)co_await std::move(sleeping);
      continue;
    }
    // Nothing to end: the next event says when to look again.
    auto subscription = options_.hub->subscribe(storage_prefix("", "events", ""), before);
    if (!subscription.is_ok()) continue;
    bool changed = false;
    while (!changed && !cancel.is_cancelled()) {
      auto waiting = (*subscription)->next(1, cancel);
      auto batch = co_await std::move(waiting);
      changed = !batch.is_ok() || !batch->changes.empty();
    }
  }
}

}  // namespace skiff::registry
