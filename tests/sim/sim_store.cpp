#include "sim/sim_store.h"

#include <skiff/api/object.h>
#include <skiff/base/strings.h>

namespace skiff::sim {

namespace {

std::string node_of(const store::Event& event) {
  if (!base::starts_with(event.key, kPodsPrefix)) return {};
  const api::StoredObject pod(event.value, event.revision);
  return api::scan_string(pod.text(), {"spec", "nodeName"}).value_or("");
}

}  // namespace

SimStore::SimStore(base::Executor& executor, base::Timers& timers, base::Random& random,
                   const Faults& faults)
    : timers_(timers),
      random_(random),
      faults_(faults),
      inner_(store::make_memory_store(executor)) {}

base::Task<base::Result<store::Revision>> SimStore::commit(store::Write write) {
  base::Duration delay = up_to(random_, faults_.commit_delay_max);
  if (delay.count() > 0) co_await base::sleep(timers_, delay, {});
  if (happens(random_, faults_.commit_fails))
    co_return base::unavailable("the disk refuses writes");
  std::string key = write.key;
  base::SharedBytes value = write.op == store::Write::Op::put ? write.value : base::SharedBytes();
  auto committing = inner_->commit(std::move(write));
  auto committed = co_await std::move(committing);
  if (committed.is_ok()) {
    Acknowledged& known = acknowledged_[key];
    if (known.revision < *committed) known = Acknowledged{*committed, std::move(value)};
  }
  co_return committed;
}

base::Result<store::Store::Loaded> SimStore::load(base::UniqueFunction<void(store::Record)> each) {
  return inner_->load(std::move(each));
}

void SimStore::set_event_sink(
    base::UniqueFunction<void(std::vector<store::Event>, store::Revision)> sink) {
  auto watched = [this, sink = std::move(sink)](std::vector<store::Event> events,
                                                store::Revision upto) mutable {
    for (const store::Event& event : events) {
      if (!published_.empty() && event.revision <= published_.back().revision)
        violation_ = base::concat("revision ", event.revision, " of ", event.key, " came after ",
                                  published_.back().revision);
      published_.push_back({event.key, event.revision, node_of(event)});
      if (base::starts_with(event.key, kPodsPrefix)) {
        if (event.type == store::Event::Type::put)
          pods_.insert_or_assign(event.key, event.value);
        else
          pods_.erase(event.key);
      }
      for (char c : event.key) mix(static_cast<unsigned char>(c));
      mix(event.revision);
      mix(static_cast<std::uint64_t>(timers_.clock().monotonic().ns));
    }
    sink(std::move(events), upto);
  };
  inner_->set_event_sink(std::move(watched));
}

codec::Json SimStore::find_pod(const std::string& uid) const {
  for (const auto& entry : pods_) {
    const api::StoredObject pod(entry.second, 1);
    if (pod.uid() != uid) continue;
    auto tree = pod.parse();
    SKIFF_ASSERT(tree.is_ok());
    return std::move(*tree);
  }
  return {};
}

std::string SimStore::check() {
  if (!violation_.empty()) return violation_;
  std::map<std::string, store::Record> present;
  auto loaded = inner_->load([&](store::Record record) { present.emplace(record.key, record); });
  if (!loaded.is_ok()) return "the store cannot be read";
  for (const auto& [key, known] : acknowledged_) {
    auto found = present.find(key);
    if (found == present.end()) {
      if (!known.value.empty()) {
        // A later removal is published; anything else is a loss.
        bool removed_later = false;
        for (const Published& event : published_)
          removed_later |= event.key == key && event.revision > known.revision;
        if (!removed_later) return base::concat("an acknowledged write of ", key, " is lost");
      }
      continue;
    }
    if (found->second.revision < known.revision)
      return base::concat(key, " went back to revision ", found->second.revision);
    if (found->second.revision == known.revision &&
        found->second.value.view() != known.value.view())
      return base::concat(key, " has other bytes than were acknowledged");
  }
  return {};
}

}  // namespace skiff::sim
