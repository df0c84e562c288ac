// What every controller is made of: shared informers, a queue of keys, one sync per key at a time.
#pragma once

#include <skiff/api/summary.h>
#include <skiff/client/client.h>
#include <skiff/client/informer.h>
#include <skiff/client/recorder.h>
#include <skiff/client/work_queue.h>

#include <skiff/base/age.h>
#include <skiff/base/random.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "controllers/limits.h"

namespace skiff::controllers {

using codec::Json;
using JsonPtr = std::shared_ptr<const Json>;
using SummaryPtr = std::shared_ptr<const api::ObjectSummary>;

// What was read last of objects: one change goes to several indexes and handlers.
// Thread-compatible.
class ParsedObjects {
 public:
  // Null JSON for an empty object (and for damaged text, which the store would not have served).
  JsonPtr parse(const api::StoredObject& object);
  // Empty for an empty object.
  SummaryPtr summary(const api::StoredObject& object);

 private:
  // Objects are kept, so that the address of their bytes stays taken.
  struct Slot {
    api::StoredObject object;
    JsonPtr tree;
  };
  struct SummarySlot {
    base::SharedBytes stored;
    SummaryPtr summary;
  };
  std::array<Slot, kParsedObjectsMax> slots_;
  std::size_t next_ = 0;
  std::array<SummarySlot, kParsedObjectsMax> summaries_;
  std::size_t next_summary_ = 0;
};

// One informer per resource, made when first asked for. Thread-compatible.
// Indexes of pods and ReplicaSets: "controller" (uid of the controlling owner, or "orphans/<ns>");
// of pods also "node" (spec.nodeName; "" for none).
class InformerSet {
 public:
  InformerSet(client::Client& client, base::Timers& timers, ParsedObjects& parsed)
      : client_(client), timers_(timers), parsed_(parsed) {}
  client::Informer& of(client::Resource resource);
  base::Task<void> run(base::Executor& executor, base::CancelToken cancel);

 private:
  client::Client& client_;
  base::Timers& timers_;
  ParsedObjects& parsed_;
  std::map<std::string, std::unique_ptr<client::Informer>> informers_;
};

// What the manager lends to its controllers; outlives them.
struct Context {
  client::Client& client;
  base::Executor& executor;
  base::Timers& timers;
  base::Random& random;
  ParsedObjects& parsed;
  InformerSet& informers;
  base::AgeMeter& ages;

  base::AgeOf age_of() const { return ages.reader(); }
  base::WallTime now() const { return timers.clock().now(); }
  std::unique_ptr<client::EventRecorder> recorder(std::string component) const {
    return client::make_recorder(client, executor, timers, std::move(component), "");
  }
  // The informer's copy as a tree; null pointer when absent.
  JsonPtr find(client::Informer& informer, std::string_view key) const;
  std::vector<JsonPtr> parse_all(const std::vector<api::StoredObject>& objects) const;
};

// Loop-only.
class Controller {
 public:
  virtual ~Controller() = default;
  virtual std::string_view name() const = 0;
  // Returns when cancelled and idle.
  virtual base::Task<void> run(base::CancelToken cancel) = 0;
};

// A controller that brings one key at a time in order. A failed sync comes again with back-off.
class KeyedController : public Controller {
 public:
  explicit KeyedController(Context& context);
  base::Task<void> run(base::CancelToken cancel) override;

 protected:
  virtual base::Task<base::Status> sync(std::string key) = 0;
  // Informers that must have their first list before the first sync.
  client::Informer& needs(client::Resource resource);
  // Called once when they have it.
  virtual void started() {}
  // Calls `handler` for changes of the resource.
  void watch(client::Resource resource, client::Informer::Handler handler);
  // Enqueues every changed object of the resource by its own key.
  void enqueue_on_change(client::Resource resource);

  Context& context_;
  std::unique_ptr<client::WorkQueue> queue_;
  base::CancelToken cancel_;

 private:
  base::Task<void> process(std::string key);

  std::vector<client::Informer*> needed_;
  base::AsyncSemaphore permits_;
};

// "namespace/name" apart; a name alone has an empty namespace.
struct ObjectName {
  std::string namespace_name, name;
};
ObjectName split_key(std::string_view key);

}  // namespace skiff::controllers
