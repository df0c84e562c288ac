#include "store/data_lock.h"
#include "store/engine.h"
#include "store/gathering.h"
#include "store/limits.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>

#include <condition_variable>
#include <deque>
#include <mutex>

namespace skiff::store {

namespace {

// Thread-safe. Commits queue for one writer thread, which takes what waits as one group: while it
// waits for a sync, the next group gathers.
class SqliteStore final : public Store {
 public:
  SqliteStore(const SqliteOptions& options, base::Timers& timers, base::UniqueFd lock,
              std::unique_ptr<Engine> engine, std::unique_ptr<loop::WorkPool> writer)
      : group_writes_max_(options.group_writes_max),
        timers_(timers),
        lock_(std::move(lock)),
        engine_(std::move(engine)),
        link_(std::make_shared<Link>()),
        writer_(std::move(writer)),
        pool_(*writer_) {
    link_->store = this;
  }
  ~SqliteStore() override { stop(); }

  base::Task<base::Result<Revision>> commit(Write write) override;
  base::Result<Loaded> load(base::UniqueFunction<void(Record)> each) override;
  void set_event_sink(
      base::UniqueFunction<void(std::vector<Event> events, Revision upto)> sink) override {
    std::lock_guard lock(mutex_);
    sink_ = std::move(sink);
  }
  HealthReport health() const override {
    std::lock_guard lock(mutex_);
    return health_;
  }
  Counters counters() const override;
  base::Status close() override;

 private:
  struct Pending {
    Write write;
    base::OneShot<base::Result<Revision>> done;
  };
  // Lets a timer find out that the store is gone.
  struct Link {
    std::mutex mutex;
    SqliteStore* store = nullptr;
  };

  base::Status enqueue(Pending pending);
  // On the writer thread.
  void drain();
  std::vector<Pending> take_group();
  bool gather();
  void commit_group(std::vector<Pending> group);
  void on_timer();
  void after_work();
  void start_timer();
  void stop();

  const std::size_t group_writes_max_;
  base::Timers& timers_;
  base::UniqueFd lock_;
  std::unique_ptr<Engine> engine_;  // the writer thread's, once commits began

  mutable std::mutex mutex_;
  std::deque<Pending> queue_;
  Gathering gathering_;
  std::condition_variable gathered_;
  bool draining_ = false;
  bool closed_ = false;
  base::TimerId timer_ = 0;
  HealthReport health_;
  std::uint64_t commits_ = 0;
  std::uint64_t groups_ = 0;
  base::UniqueFunction<void(std::vector<Event>, Revision)> sink_;  // set before the first commit

  std::shared_ptr<Link> link_;
  std::unique_ptr<loop::WorkPool> writer_;  // only stop() touches it
  loop::WorkPool& pool_;
};

base::Status SqliteStore::enqueue(Pending pending) {
  std::lock_guard lock(mutex_);
  if (closed_) return base::cancelled("the store is closed");
  if (queue_.size() >= kQueueWritesMax)
    return base::unavailable("too many writes wait for the store");
  queue_.push_back(std::move(pending));
  if (draining_) {
    if (gathering_.is_complete(queue_.size())) gathered_.notify_one();
    return {};
  }
  draining_ = true;
  pool_.post([this] { drain(); });
  return {};
}

base::Task<base::Result<Revision>> SqliteStore::commit(Write write) {
  if (write.key.empty() || write.key.size() > kKeyBytesMax)
    co_return base::invalid_argument(
        base::concat("a key has 1 to ", kKeyBytesMax, " bytes, not ", write.key.size()));
  if (write.value.size() > kValueBytesMax)
    co_return base::Status(
        base::Code::too_large,
        base::concat("the record has ", write.value.size(), " bytes, more than ", kValueBytesMax));
  base::OneShot<base::Result<Revision>> done;
  Pending pending{std::move(write), done};
  SKIFF_CO_RETURN_IF_ERROR(enqueue(std::move(pending)));
  co_return co_await done.future();
}

base::Result<Store::Loaded> SqliteStore::load(base::UniqueFunction<void(Record)> each) {
  auto loaded = engine_->load(each);
  std::lock_guard lock(mutex_);
  health_ = engine_->health();
  return loaded;
}

std::vector<SqliteStore::Pending> SqliteStore::take_group() {
  std::lock_guard lock(mutex_);
  std::vector<Pending> group;
  while (!queue_.empty() && group.size() < group_writes_max_) {
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

// After a slow commit those that it answered are waited for. True when nobody came.
bool SqliteStore::gather() {
  std::unique_lock lock(mutex_);
  auto patience = gathering_.patience(queue_.size(), timers_.clock().monotonic());
  if (patience.count() > 0 && !closed_)
    gathered_.wait_for(lock, patience,
                       [this] { return closed_ || gathering_.is_complete(queue_.size()); });
  if (queue_.empty()) queue_.shrink_to_fit();
  return queue_.empty();
}

// One group a job, so that what a timer asks for has its turn too.
void SqliteStore::drain() {
  commit_group(take_group());
  // First, or the log would be copied while those who write all the time read their answers.
  engine_->tidy_up(gather());
  std::lock_guard lock(mutex_);
  draining_ = !queue_.empty();
  if (draining_) pool_.post([this] { drain(); });
}

void SqliteStore::commit_group(std::vector<Pending> group) {
  std::vector<const Write*> writes;
  writes.reserve(group.size());
  for (const auto& pending : group) writes.push_back(&pending.write);
  base::MonotonicTime begin = timers_.clock().monotonic();
  Engine::Outcome outcome = engine_->commit(writes);
  {
    std::lock_guard lock(mutex_);
    commits_ += outcome.events.size();
    base::MonotonicTime now = timers_.clock().monotonic();
    gathering_.note_commit(group.size(), queue_.size(), now - begin, now);
  }
  after_work();
  if (!outcome.events.empty() && sink_) sink_(std::move(outcome.events), outcome.upto);
  for (std::size_t i = 0; i < group.size(); ++i) group[i].done.set(std::move(outcome.answers[i]));
}

void SqliteStore::on_timer() {
  engine_->try_recovery();
  static_cast<void>(engine_->flush_relaxed().is_ok());  // health() tells, and the timer tries again
  after_work();
}

void SqliteStore::after_work() {
  bool needs_timer = engine_->has_relaxed() || engine_->health().health != Health::writable;
  std::lock_guard lock(mutex_);
  health_ = engine_->health();
  groups_ = engine_->transactions();
  if (needs_timer && timer_ == 0 && !closed_) start_timer();
}

// With mutex_ held.
void SqliteStore::start_timer() {
  timer_ = timers_.start_timer(kRelaxedDelay, [link = link_] {
    std::lock_guard lock(link->mutex);
    SqliteStore* store = link->store;
    if (store == nullptr) return;
    {
      std::lock_guard state_lock(store->mutex_);
      store->timer_ = 0;
      if (store->closed_) return;
    }
    store->pool_.post([store] { store->on_timer(); });
  });
}

Store::Counters SqliteStore::counters() const {
  Counters counters;
  std::lock_guard lock(mutex_);
  counters.commits = commits_;
  counters.groups = groups_;
  counters.syncs = engine_->vfs().log_syncs();
  counters.bytes_written = engine_->vfs().bytes_written();
  return counters;
}

void SqliteStore::stop() {
  base::TimerId timer = 0;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    timer = std::exchange(timer_, 0);
  }
  gathered_.notify_all();
  if (timer != 0) timers_.cancel_timer(timer);
  {
    std::lock_guard lock(link_->mutex);
    link_->store = nullptr;
  }
  writer_.reset();  // finishes what is queued, joins the thread
}

base::Status SqliteStore::close() {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return {};
  }
  stop();
  base::Status status = engine_->close();
  lock_.reset();
  return status;
}

}  // namespace

base::Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options,
                                                       StoreEnvironment& environment) {
  SKIFF_ASSERT(options.group_writes_max > 0);
  SKIFF_ASSIGN_OR_RETURN(auto lock, lock_data_folder(options.folder));
  base::Timers& timers = environment.timers();
  SKIFF_ASSIGN_OR_RETURN(auto engine, Engine::open(options, timers.clock()));
  loop::WorkPoolOptions pool;
  pool.name = "store";
  pool.threads_max = 1;
  pool.keep_threads = true;
  pool.stack_bytes = kWriterStackBytes;
  SKIFF_ASSIGN_OR_RETURN(auto writer, loop::make_work_pool(pool));
  return std::unique_ptr<Store>(std::make_unique<SqliteStore>(
      options, timers, std::move(lock), std::move(engine), std::move(writer)));
}

}  // namespace skiff::store
