#include <skiff/store/store.h>

#include "store/expected.h"

#include <map>
#include <mutex>

namespace skiff::store {

namespace {

// Thread-safe. Commits run one at a time on the executor.
class MemoryStore final : public Store {
 public:
  explicit MemoryStore(base::Executor& executor)
      : executor_(executor), state_(std::make_shared<State>()) {}

  base::Task<base::Result<Revision>> commit(Write write) override {
    base::OneShot<base::Result<Revision>> done;
    executor_.post([state = state_, write = std::move(write), done]() mutable {
      done.set(state->apply(std::move(write)));
    });
    co_return co_await done.future();
  }

  base::Result<Loaded> load(base::UniqueFunction<void(Record)> each) override {
    std::lock_guard lock(state_->mutex);
    for (const auto& [key, value] : state_->records) each(Record{key, value.bytes, value.revision});
    Loaded loaded;
    loaded.revision = state_->revision;
    return loaded;
  }

  void set_event_sink(
      base::UniqueFunction<void(std::vector<Event> events, Revision upto)> sink) override {
    std::lock_guard lock(state_->mutex);
    state_->sink = std::move(sink);
  }

  HealthReport health() const override { return {}; }

  Counters counters() const override {
    std::lock_guard lock(state_->mutex);
    return state_->counters;
  }

  base::Status close() override {
    std::lock_guard lock(state_->mutex);
    state_->closed = true;
    return {};
  }

 private:
  struct Value {
    base::SharedBytes bytes;
    Revision revision = 0;
  };
  struct State {
    mutable std::mutex mutex;
    std::map<std::string, Value> records;
    Revision revision = 0;
    base::UniqueFunction<void(std::vector<Event>, Revision)> sink;
    Counters counters;
    bool closed = false;

    base::Result<Revision> apply(Write write);
  };

  base::Executor& executor_;
  std::shared_ptr<State> state_;
};

base::Result<Revision> MemoryStore::State::apply(Write write) {
  std::lock_guard lock(mutex);
  if (closed) return base::cancelled("the store is closed");
  auto found = records.find(write.key);
  SKIFF_RETURN_IF_ERROR(check_expected(
      write, found == records.end() ? std::nullopt : std::optional(found->second.revision)));
  Event event;
  event.revision = ++revision;
  if (write.op == Write::Op::put) {
    Value value{std::move(write.value), revision};
    event.value = value.bytes;
    records.insert_or_assign(write.key, std::move(value));
  } else {
    event.type = Event::Type::remove;
    event.value = std::move(found->second.bytes);
    records.erase(found);
  }
  event.key = std::move(write.key);
  ++counters.commits;
  ++counters.groups;
  Revision committed = revision;
  if (sink) {
    std::vector<Event> events;
    events.push_back(std::move(event));
    sink(std::move(events), committed);
  }
  return committed;
}

}  // namespace

std::unique_ptr<Store> make_memory_store(base::Executor& executor) {
  return std::make_unique<MemoryStore>(executor);
}

}  // namespace skiff::store
