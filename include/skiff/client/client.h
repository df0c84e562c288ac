// How controllers, scheduler and agent see the cluster. Two implementations: in-process
// (apiserver/loopback_client) and HTTPS; the same code runs on both and in the simulator.
#pragma once

#include <skiff/api/errors.h>
#include <skiff/api/object.h>
#include <skiff/base/async.h>
#include <skiff/base/clock.h>
#include <skiff/base/result.h>
#include <skiff/codec/json.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::client {

struct Resource {
  std::string_view group;  // "" for core; static storage
  std::string_view version;
  std::string_view resource;  // plural
};
namespace resources {
inline constexpr Resource namespaces{"", "v1", "namespaces"};
inline constexpr Resource nodes{"", "v1", "nodes"};
inline constexpr Resource pods{"", "v1", "pods"};
inline constexpr Resource services{"", "v1", "services"};
inline constexpr Resource endpoints{"", "v1", "endpoints"};
inline constexpr Resource endpoint_slices{"discovery.k8s.io", "v1", "endpointslices"};
inline constexpr Resource config_maps{"", "v1", "configmaps"};
inline constexpr Resource secrets{"", "v1", "secrets"};
inline constexpr Resource service_accounts{"", "v1", "serviceaccounts"};
inline constexpr Resource events{"", "v1", "events"};
inline constexpr Resource leases{"coordination.k8s.io", "v1", "leases"};
inline constexpr Resource replica_sets{"apps", "v1", "replicasets"};
inline constexpr Resource deployments{"apps", "v1", "deployments"};
inline constexpr Resource cluster_roles{"rbac.authorization.k8s.io", "v1", "clusterroles"};
inline constexpr Resource cluster_role_bindings{"rbac.authorization.k8s.io", "v1",
                                                "clusterrolebindings"};
inline constexpr Resource roles{"rbac.authorization.k8s.io", "v1", "roles"};
inline constexpr Resource role_bindings{"rbac.authorization.k8s.io", "v1", "rolebindings"};
}  // namespace resources

struct ListOptions {
  std::string namespace_name;  // empty = all
  std::string label_selector;
  std::string field_selector;
  // Of a watch: what its reader has under a key ("namespace/name" or "name") from this watch's
  // events, all of which it keeps. Called where next() is awaited. Without it every change comes
  // whole from a remote server.
  std::function<api::StoredObject(std::string_view key)> known_objects;
};

struct ObjectList {
  std::vector<api::StoredObject> items;
  std::uint64_t revision = 0;  // resume a watch from here
};

struct WatchEvent {
  enum class Type : unsigned char { added, modified, removed, bookmark };
  Type type = Type::added;
  api::StoredObject object;
  std::uint64_t revision = 0;
};

// Thread-compatible.
class WatchStream {
 public:
  virtual ~WatchStream() = default;
  // The next events, at least one. Errors: expired (list again), unavailable (connection lost),
  // cancelled.
  virtual base::Task<base::Result<std::vector<WatchEvent>>> next() = 0;
};

enum class PatchType : unsigned char { json, merge, strategic, apply };

struct DeleteOptions {
  std::optional<std::int64_t> grace_period_seconds;
  std::string uid;                 // precondition; empty = none
  std::string resource_version;    // precondition; empty = none
  std::string propagation_policy;  // "", "Background", "Foreground", "Orphan"
};

// Errors keep the API's reason as a base::Code (api::to_base_status) and its message.
// Thread-safe; every task resumes on the executor that awaits it.
class Client {
 public:
  virtual ~Client() = default;
  using ObjectResult = base::Result<codec::Json>;

  virtual base::Task<ObjectResult> get(Resource resource, std::string namespace_name,
                                       std::string name) = 0;
  virtual base::Task<base::Result<ObjectList>> list(Resource resource, ListOptions options) = 0;
  // From `revision` (exclusive) of a list.
  virtual base::Task<base::Result<std::unique_ptr<WatchStream>>> watch(
      Resource resource, ListOptions options, std::uint64_t revision, base::CancelToken cancel) = 0;
  // `subresource` is "" or "binding", "token", "eviction", …; namespace and name of the object
  // itself come from `object`, but for a subresource `name` is the parent's.
  virtual base::Task<ObjectResult> create(Resource resource, std::string namespace_name,
                                          codec::Json object, std::string subresource = {},
                                          std::string name = {}) = 0;
  virtual base::Task<ObjectResult> update(Resource resource, codec::Json object,
                                          std::string subresource = {}) = 0;
  virtual base::Task<ObjectResult> patch(Resource resource, std::string namespace_name,
                                         std::string name, PatchType type, codec::Json patch,
                                         std::string subresource = {}) = 0;
  virtual base::Task<base::Status> remove(Resource resource, std::string namespace_name,
                                          std::string name, DeleteOptions options = {}) = 0;
  // How long who failed should wait at most before it asks again, as things are at the moment:
  // short where asking costs nobody anything.
  virtual base::Duration retry_wait_max() const { return std::chrono::seconds(30); }
};

}  // namespace skiff::client
