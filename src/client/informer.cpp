#include <skiff/client/informer.h>

#include <skiff/base/log.h>
#include <skiff/base/random.h>

#include "client/backoff.h"
#include "client/informer_index.h"
#include "client/limits.h"

#include <algorithm>
#include <functional>

namespace skiff::client {

namespace {

class InformerImpl final : public Informer {
 public:
  InformerImpl(Client& client, base::Timers& timers, Resource resource, ListOptions options,
               std::vector<InformerIndex> indexes)
      : client_(client),
        timers_(timers),
        resource_(resource),
        options_(std::move(options)),
        store_(std::move(indexes)),
        random_(base::seeded_random(static_cast<std::uint64_t>(timers.clock().monotonic().ns) ^
                                    std::hash<std::string_view>()(resource.resource))),
        backoff_(kRelistDelayMin, kRelistDelayMax, *random_) {}

  void add_handler(Handler handler) override { handlers_.push_back(std::move(handler)); }

  base::Task<void> run(base::CancelToken cancel) override {
    bool must_list = true;
    while (!cancel.is_cancelled()) {
      if (must_list) {
        base::Status listed = co_await list_once();
        if (listed.is_ok()) must_list = false;
        if (!listed.is_ok()) {
          log_failure("list failed", listed);
          co_await base::sleep(timers_, backoff_.next(client_.retry_wait_max()), cancel);
          continue;
        }
      }
      base::Status watched = co_await watch_until_lost(cancel);
      if (cancel.is_cancelled()) break;
      log_failure("watch ended", watched);
      // Away and slow servers keep the place in the stream; whatever else went wrong, the list
      // is the truth.
      base::Code code = watched.code();
      must_list = code != base::Code::unavailable && code != base::Code::deadline_exceeded &&
                  code != base::Code::too_many_requests;
      co_await base::sleep(timers_, backoff_.next(client_.retry_wait_max()), cancel);
    }
  }

  bool has_synced() const override { return synced_; }

  base::Task<bool> wait_synced(base::CancelToken cancel) override {
    if (synced_) co_return true;
    base::OneShot<bool> done;
    waiters_.push_back(done);
    base::CancelCallback on_cancel(cancel, [done] { done.set(false); });
    auto future = done.future();
    bool synced = co_await future;
    co_return synced;
  }

  api::StoredObject get(std::string_view key) const override { return store_.get(key); }
  std::vector<api::StoredObject> list(std::string_view namespace_name) const override {
    return store_.list(namespace_name);
  }
  std::size_t size() const override { return store_.size(); }
  std::vector<api::StoredObject> by_index(std::string_view index,
                                          std::string_view value) const override {
    return store_.by_index(index, value);
  }

 private:
  void log_failure(std::string_view sentence, const base::Status& status) const {
    base::log_debug(sentence, {{"resource", resource_.resource}, {"error", status}});
  }

  void tell(const api::StoredObject& before, const api::StoredObject& after) {
    for (const Handler& handler : handlers_) handler(before, after);
  }

  void change(const std::string& key, const api::StoredObject& after) {
    api::StoredObject before = store_.put(key, after);
    if (before.empty() && after.empty()) return;
    tell(before, after);
  }

  base::Task<base::Status> list_once() {
    auto task = client_.list(resource_, options_);
    auto result = co_await std::move(task);
    if (!result.is_ok()) co_return result.status();
    replace(std::move(*result));
    co_return base::Status::ok();
  }

  void replace(ObjectList list) {
    std::vector<std::string> gone = store_.keys();
    std::vector<std::string> present;
    present.reserve(list.items.size());
    for (const api::StoredObject& object : list.items) present.push_back(key_of(object));
    std::vector<std::string> sorted = present;
    std::sort(sorted.begin(), sorted.end());
    for (const std::string& key : gone)
      if (!std::binary_search(sorted.begin(), sorted.end(), key)) change(key, {});
    // All objects are in place before the first handler looks around.
    std::vector<api::StoredObject> before;
    before.reserve(list.items.size());
    for (std::size_t i = 0; i < list.items.size(); ++i)
      before.push_back(store_.put(present[i], list.items[i]));
    revision_ = list.revision;
    bool first = !synced_;
    synced_ = true;
    for (std::size_t i = 0; i < list.items.size(); ++i) tell(before[i], list.items[i]);
    if (!first) return;
    for (const auto& waiter : std::exchange(waiters_, {})) waiter.set(true);
  }

  base::Task<base::Status> watch_until_lost(base::CancelToken cancel) {
    ListOptions options = options_;
    options.known_objects = [this](std::string_view key) { return store_.get(key); };
    auto opening = client_.watch(resource_, std::move(options), revision_, cancel);
    auto opened = co_await std::move(opening);
    if (!opened.is_ok()) co_return opened.status();
    std::unique_ptr<WatchStream> stream = std::move(*opened);
    for (;;) {
      auto reading = stream->next();
      auto batch = co_await std::move(reading);
      if (!batch.is_ok()) co_return batch.status();
      if (cancel.is_cancelled()) co_return base::cancelled("informer stopped");
      backoff_.reset();
      for (const WatchEvent& event : *batch) apply(event);
    }
  }

  void apply(const WatchEvent& event) {
    if (event.revision > revision_) revision_ = event.revision;
    if (event.type == WatchEvent::Type::bookmark) return;
    std::string key = key_of(event.object);
    change(key, event.type == WatchEvent::Type::removed ? api::StoredObject() : event.object);
  }

  Client& client_;
  base::Timers& timers_;
  const Resource resource_;
  const ListOptions options_;
  InformerStore store_;
  std::vector<Handler> handlers_;
  std::unique_ptr<base::Random> random_;
  Backoff backoff_;
  std::uint64_t revision_ = 0;
  bool synced_ = false;
  std::vector<base::OneShot<bool>> waiters_;
};

}  // namespace

std::unique_ptr<Informer> make_informer(Client& client, base::Timers& timers, Resource resource,
                                        ListOptions options, std::vector<InformerIndex> indexes) {
  return std::make_unique<InformerImpl>(client, timers, resource, std::move(options),
                                        std::move(indexes));
}

}  // namespace skiff::client
