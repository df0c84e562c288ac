#include <skiff/watch/hub.h>

#include "watch/ring.h"
#include "watch/snapshot.h"

#include <skiff/base/strings.h>

#include <algorithm>

namespace skiff::watch {

namespace {

constexpr std::uint64_t kLoadEdit = 1;

// Thread-compatible, nudge() and position() thread-safe.
class RingSubscription final : public Subscription {
 public:
  RingSubscription(std::shared_ptr<Ring> ring, std::shared_ptr<Place> place)
      : ring_(std::move(ring)), place_(std::move(place)) {}
  ~RingSubscription() override { ring_->unsubscribe(place_); }

  base::Task<base::Result<Batch>> next(std::size_t limit, base::CancelToken cancel) override {
    SKIFF_ASSERT(limit > 0);
    for (;;) {
      auto collected = ring_->collect(*place_, limit);
      SKIFF_CO_RETURN_IF_ERROR(collected);
      if (collected->has_value()) co_return std::move(**collected);
      bool notified = co_await place_->notifier.wait(cancel);
      if (!notified) co_return base::cancelled("the watch was cancelled");
    }
  }
  void nudge() override { ring_->nudge(*place_); }
  Revision position() const override { return ring_->position(*place_); }

 private:
  std::shared_ptr<Ring> ring_;
  std::shared_ptr<Place> place_;
};

// Those who wait for a revision. Thread-safe.
struct Waiters {
  struct Waiter {
    std::uint64_t id;
    Revision revision;
    base::OneShot<base::Status> done;
  };
  std::mutex mutex;
  std::vector<Waiter> waiting;
  std::uint64_t next_id = 1;

  void wake(Revision visible) {
    std::vector<Waiter> ready;
    {
      std::lock_guard lock(mutex);
      auto at = std::partition(waiting.begin(), waiting.end(),
                               [&](const Waiter& w) { return w.revision > visible; });
      std::move(at, waiting.end(), std::back_inserter(ready));
      waiting.erase(at, waiting.end());
    }
    for (auto& waiter : ready) waiter.done.set({});
  }
  void forget(std::uint64_t id) {
    std::lock_guard lock(mutex);
    auto same = [&](const Waiter& w) { return w.id == id; };
    waiting.erase(std::remove_if(waiting.begin(), waiting.end(), same), waiting.end());
  }
};

// The hub's state, which the store's sink keeps alive. Thread-safe; publish() runs on the store's
// writing thread.
class Index {
 public:
  Index(const HubOptions& options, Root root, Revision revision)
      : tree_(std::make_shared<const Snapshot::Tree>(std::move(root), revision)),
        ring(std::make_shared<Ring>(options, revision)) {}

  std::shared_ptr<const Snapshot::Tree> tree() const {
    std::lock_guard lock(mutex_);
    return tree_;
  }
  void publish(std::vector<store::Event> events, Revision upto);
  std::shared_ptr<const std::atomic<Revision>> track(std::string prefix) {
    auto latest = std::make_shared<std::atomic<Revision>>(0);
    std::lock_guard lock(mutex_);
    tracked_.push_back({std::move(prefix), latest});
    return latest;
  }

 private:
  struct Tracked {
    std::string prefix;
    std::shared_ptr<std::atomic<Revision>> latest;
  };
  void mark_tracked(const std::vector<ChangeRef>& changes);

  mutable std::mutex mutex_;
  std::vector<Tracked> tracked_;                // under mutex_
  std::shared_ptr<const Snapshot::Tree> tree_;  // under mutex_
  std::uint64_t edits_ = kLoadEdit;             // only publish() uses it

 public:
  const std::shared_ptr<Ring> ring;
  Waiters waiters;
};

// Thread-safe.
class IndexHub final : public Hub {
 public:
  explicit IndexHub(std::shared_ptr<Index> index) : index_(std::move(index)) {}

  Snapshot snapshot() const override { return Snapshot(index_->tree()); }

  base::Task<base::Result<Snapshot>> at_least(Revision revision,
                                              base::CancelToken cancel) override {
    base::OneShot<base::Status> done;
    std::uint64_t id = 0;
    {
      // publish() stores the tree before it wakes: under this lock no wake-up is missed.
      std::lock_guard lock(index_->waiters.mutex);
      Snapshot now = snapshot();
      if (now.revision() >= revision) co_return now;
      id = index_->waiters.next_id++;
      index_->waiters.waiting.push_back({id, revision, done});
    }
    base::CancelCallback on_cancel(
        cancel, [done] { done.set(base::cancelled("waiting for a revision was cancelled")); });
    auto status = co_await done.future();
    if (!status.is_ok()) {
      index_->waiters.forget(id);
      co_return status;
    }
    co_return snapshot();
  }

  base::Result<std::unique_ptr<Subscription>> subscribe(std::string prefix,
                                                        Revision from) override {
    SKIFF_ASSIGN_OR_RETURN(auto place, index_->ring->subscribe(std::move(prefix), from));
    return std::unique_ptr<Subscription>(
        std::make_unique<RingSubscription>(index_->ring, std::move(place)));
  }

  base::Result<Subscription::Batch> changes_after(std::string_view prefix,
                                                  Revision from) const override {
    return index_->ring->changes_after(prefix, from);
  }

  std::shared_ptr<const std::atomic<Revision>> track(std::string prefix) override {
    return index_->track(std::move(prefix));
  }

  Revision oldest() const override { return index_->ring->oldest(); }

 private:
  const std::shared_ptr<Index> index_;
};

void Index::publish(std::vector<store::Event> events, Revision upto) {
  TreeEdit edit(tree()->root(), ++edits_);
  std::vector<ChangeRef> changes;
  changes.reserve(events.size());
  for (auto& event : events) {
    auto change = std::make_shared<Change>();
    Ref<const Item> previous;
    if (event.type == store::Event::Type::put) {
      previous = edit.put(Item::make(event.key, event.value, event.revision));
      change->type = previous ? Change::Type::modified : Change::Type::added;
    } else {
      previous = edit.remove(event.key);
      change->type = Change::Type::removed;
    }
    change->key = std::move(event.key);
    change->value = std::move(event.value);
    if (previous) change->previous = previous->value();
    change->revision = event.revision;
    changes.push_back(std::move(change));
  }
  auto tree = std::make_shared<const Snapshot::Tree>(edit.take(), upto);
  {
    std::lock_guard lock(mutex_);
    tree_.swap(tree);
    mark_tracked(changes);
  }
  ring->publish(std::move(changes), upto);
  waiters.wake(upto);
}

void Index::mark_tracked(const std::vector<ChangeRef>& changes) {
  for (const auto& tracked : tracked_) {
    for (const auto& change : changes) {
      if (base::starts_with(change->key, tracked.prefix)) tracked.latest->store(change->revision);
    }
  }
}

}  // namespace

base::Result<std::unique_ptr<Hub>> make_hub(store::Store& store, const HubOptions& options,
                                            std::vector<store::DamagedRecord>* damaged) {
  TreeEdit edit({}, kLoadEdit);
  auto loaded = store.load([&edit](store::Record record) {
    edit.put(Item::make(record.key, std::move(record.value), record.revision));
  });
  SKIFF_RETURN_IF_ERROR(loaded);
  if (damaged != nullptr) *damaged = std::move(loaded->damaged);
  auto index = std::make_shared<Index>(options, edit.take(), loaded->revision);
  store.set_event_sink([index](std::vector<store::Event> events, Revision upto) {
    index->publish(std::move(events), upto);
  });
  return std::unique_ptr<Hub>(std::make_unique<IndexHub>(std::move(index)));
}

}  // namespace skiff::watch
