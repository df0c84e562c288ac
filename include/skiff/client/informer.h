// A list that keeps itself up to date, and tells that something changed.
#pragma once

#include <skiff/api/object.h>
#include <skiff/base/clock.h>
#include <skiff/client/client.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::client {

// Lists, then watches, lists again with back-off (±20 % jitter) when the watch is lost. Keeps the
// stored bytes (shared with the hub in-process), never trees. Used on one executor.
class Informer {
 public:
  virtual ~Informer() = default;

  // Level-triggered: called with the state before and after (either may be empty) whenever an
  // object changed, and for every object after a new list. Register before start().
  using Handler =
      std::function<void(const api::StoredObject& before, const api::StoredObject& after)>;
  virtual void add_handler(Handler handler) = 0;

  // Returns when cancelled.
  virtual base::Task<void> run(base::CancelToken cancel) = 0;
  virtual bool has_synced() const = 0;
  // Returns true when the first list is in, false when cancelled.
  virtual base::Task<bool> wait_synced(base::CancelToken cancel) = 0;

  // "namespace/name" or "name"; empty object when absent.
  virtual api::StoredObject get(std::string_view key) const = 0;
  // Objects of a namespace (empty = all) in key order.
  virtual std::vector<api::StoredObject> list(std::string_view namespace_name = {}) const = 0;
  virtual std::size_t size() const = 0;
  // Objects whose index value is `value`; the index function is given at creation.
  virtual std::vector<api::StoredObject> by_index(std::string_view index,
                                                  std::string_view value) const = 0;
};

struct InformerIndex {
  std::string name;
  std::function<std::vector<std::string>(const api::StoredObject&)> values;
};

std::unique_ptr<Informer> make_informer(Client& client, base::Timers& timers, Resource resource,
                                        ListOptions options, std::vector<InformerIndex> indexes);

}  // namespace skiff::client
