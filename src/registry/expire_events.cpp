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

// Ends the events that are old enough, at most kEventSweepMax; `next` is how long the next one
// lives on, unchanged when there is none.
base::Task<void> RegistryImpl::sweep_events(base::AgeMeter& ages,
                                            std::optional<base::Duration>* next) {
  struct Old {
    std::string key;
    store::Revision revision;
  };
  std::vector<Old> old;
  std::optional<base::Duration> soonest;
  snapshot().scan(storage_prefix("", "events", ""), {}, [&](const watch::Entry& entry) {
    auto stamp = last_seen(api::StoredObject(entry.value, entry.revision).text());
    const base::Duration rest = kEventLifetime - ages.age_of(stamp);
    if (rest.count() <= 0 && old.size() < kEventSweepMax) {
      old.push_back({std::string(entry.key), entry.revision});
    } else {
      soonest = soonest ? std::min(*soonest, rest) : rest;
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
  if (soonest) *next = soonest;
}

base::Task<void> RegistryImpl::expire_events(base::Timers& timers, base::CancelToken cancel) {
  base::AgeMeter ages(*options_.clock);
  while (!cancel.is_cancelled()) {
    auto before = snapshot().revision();
    std::optional<base::Duration> next;
    auto sweeping = sweep_events(ages, &next);
    co_await std::move(sweeping);
    if (next) {
      auto delay = std::max<base::Duration>(*next, kEventSweepInterval);
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
