// Generic operations on resources: reads from the hub, compare-and-writes to the store, and the
// few rules that a kind adds (src/registry/strategies).
#pragma once

#include <skiff/api/kind.h>
#include <skiff/api/object.h>
#include <skiff/api/outcome.h>
#include <skiff/base/async.h>
#include <skiff/base/clock.h>
#include <skiff/base/random.h>
#include <skiff/codec/json.h>
#include <skiff/store/store.h>
#include <skiff/watch/hub.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::registry {

// "/<group>/<resource>/<namespace>/<name>" with "core" for the empty group; cluster-scoped objects
// have no namespace part. A prefix ends with '/'.
std::string storage_prefix(std::string_view group, std::string_view resource,
                           std::string_view namespace_name);
std::string storage_key(std::string_view group, std::string_view resource,
                        std::string_view namespace_name, std::string_view name);

// What a request is about.
struct Scope {
  const api::ResourceInfo* resource = nullptr;
  std::string subresource;
  std::string namespace_name;
  std::string name;
};
// Keys of the stored resource (events of both groups are one).
std::string key_of(const Scope& scope);
std::string prefix_of(const Scope& scope);

// The hooks of the layer above around every write.
class WriteHooks {
 public:
  virtual ~WriteHooks() = default;
  // Before the rules of the kind, after them. `live` is null for a create, `object` for a delete.
  virtual base::Task<api::Outcome<>> mutate(codec::Json& object, const codec::Json& live) = 0;
  virtual base::Task<api::Outcome<>> validate(const codec::Json& object,
                                              const codec::Json& live) = 0;
};

// Makes the wanted object from the live one; called again after a lost race.
class Transform {
 public:
  virtual ~Transform() = default;
  // `live` is null where nothing exists and the request may create.
  virtual api::Outcome<codec::Json> apply(const codec::Json& live) = 0;
};

struct WriteOptions {
  bool dry_run = false;
  bool create_when_absent = false;  // server-side apply
  bool is_replace = false;          // PUT: some kinds are created by it
  bool is_apply = false;            // managedFields are the transform's business
  std::string field_manager;
  std::string uid;  // precondition; empty = none
};

struct Written {
  // What is stored now. Of a dry run, `tree` is the answer and nothing is stored.
  api::StoredObject stored;
  std::optional<codec::Json> tree;
  // `stored` as a tree, where the write had one at hand.
  std::optional<codec::Json> object;
  bool created = false;
};

struct DeleteOptions {
  std::optional<std::int64_t> grace_period_seconds;
  std::string uid, resource_version;  // preconditions; empty = none
  std::string propagation_policy;     // "", "Background", "Foreground", "Orphan"
  bool dry_run = false;
};

struct Deleted {
  bool gone = false;         // else it is being deleted
  api::StoredObject stored;  // the last or current state
};

struct Options {
  store::Store* store = nullptr;
  watch::Hub* hub = nullptr;
  const base::Clock* clock = nullptr;
  base::Random* random = nullptr;
  std::string service_cidr = "10.43.0.0/16";
  std::uint16_t node_port_first = 30000, node_port_last = 32767;
};

// Thread-safe.
class Registry {
 public:
  virtual ~Registry() = default;

  virtual api::Outcome<api::StoredObject> get(const Scope& scope) const = 0;
  virtual watch::Snapshot snapshot() const = 0;
  virtual watch::Hub& hub() = 0;

  // `object` is decoded, not yet defaulted. generateName is tried again when a name is taken.
  virtual base::Task<api::Outcome<Written>> create(Scope scope, codec::Json object,
                                                   WriteOptions options, WriteHooks& hooks) = 0;
  virtual base::Task<api::Outcome<Written>> update(Scope scope, Transform& transform,
                                                   WriteOptions options, WriteHooks& hooks) = 0;
  virtual base::Task<api::Outcome<Deleted>> remove(Scope scope, DeleteOptions options,
                                                   WriteHooks& hooks) = 0;
  // pods/binding: sets spec.nodeName once.
  virtual base::Task<api::Outcome<>> bind(Scope scope, codec::Json binding, bool dry_run,
                                          WriteHooks& hooks) = 0;

  // Drops events older than an hour. Returns when cancelled.
  virtual base::Task<void> expire_events(base::Timers& timers, base::CancelToken cancel) = 0;
};
base::Result<std::unique_ptr<Registry>> make_registry(Options options);

// What a reader of `resource` sees of a stored object: nullopt when the stored text is the answer,
// else the converted tree (events.k8s.io).
std::optional<codec::Json> convert_for_read(const api::ResourceInfo& resource,
                                            const api::StoredObject& stored);

// The address of default/kubernetes. Errors: invalid_argument for what is no service network.
base::Result<std::string> first_service_address(std::string_view service_cidr);

// autoscaling/v1 Scale of a deployment or replica set, and back.
codec::Json scale_of(const codec::Json& object);

}  // namespace skiff::registry
