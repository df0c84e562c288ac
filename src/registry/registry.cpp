#include <skiff/api/patch.h>
#include <skiff/base/strings.h>

#include "registry/limits.h"
#include "registry/registry_impl.h"

namespace skiff::registry {

using codec::Json;

RegistryImpl::RegistryImpl(Options options, std::unique_ptr<ServiceAllocator> services)
    : options_(std::move(options)), services_(std::move(services)) {}

base::Result<std::unique_ptr<Registry>> make_registry(Options options) {
  SKIFF_ASSERT(options.store != nullptr && options.hub != nullptr);
  SKIFF_ASSERT(options.clock != nullptr && options.random != nullptr);
  if (options.node_port_first == 0 || options.node_port_first > options.node_port_last) {
    return base::invalid_argument("the node port range is empty");
  }
  SKIFF_ASSIGN_OR_RETURN(auto ips, IpAllocator::make(options.service_cidr, *options.random));
  auto ports = std::make_unique<PortAllocator>(options.node_port_first, options.node_port_last,
                                               *options.random);
  auto registry = std::make_unique<RegistryImpl>(
      std::move(options), std::make_unique<ServiceAllocator>(std::move(ips), std::move(ports)));
  SKIFF_RETURN_IF_ERROR(registry->adopt_services());
  return std::unique_ptr<Registry>(std::move(registry));
}

base::Result<std::string> first_service_address(std::string_view service_cidr) {
  SKIFF_ASSIGN_OR_RETURN(auto network, parse_ipv4_network(service_cidr));
  return format_ipv4(network.first + 1);
}

base::Status RegistryImpl::adopt_services() {
  base::Status status;
  snapshot().scan(storage_prefix("", "services", ""), {}, [&](const watch::Entry& entry) {
    auto service = api::StoredObject(entry.value, entry.revision).parse();
    if (!service.is_ok()) {
      status = service.status().with_context(entry.key);
      return false;
    }
    services_->adopt(*service);
    return true;
  });
  return status;
}

api::Outcome<api::StoredObject> RegistryImpl::get(const Scope& scope) const {
  auto snapshot = options_.hub->snapshot();
  auto entry = snapshot.get(key_of(scope));
  if (!entry) return not_found(scope);
  return api::StoredObject(entry->value, entry->revision);
}

base::Task<base::Result<store::Revision>> RegistryImpl::commit(store::Write write) {
  auto committing = options_.store->commit(std::move(write));
  auto revision = co_await std::move(committing);
  if (!revision.is_ok()) co_return revision;
  // Whoever reads after this answer sees it.
  auto visible = options_.hub->at_least(*revision, base::CancelToken());
  auto seen = co_await std::move(visible);
  if (!seen.is_ok()) co_return seen.status();
  co_return revision;
}

api::ApiError RegistryImpl::not_found(const Scope& scope) const {
  return api::not_found_error(scope.resource->group, scope.resource->resource, scope.name);
}

api::ApiError RegistryImpl::modified(const Scope& scope) const {
  return api::conflict_error(scope.resource->group, scope.resource->resource, scope.name,
                             "the object has been modified; please apply your changes to the "
                             "latest version and try again");
}

void RegistryImpl::track(const Scope& scope, const WriteOptions& options, const Json& live,
                         Json& object) const {
  if (options.is_apply) return;
  api::ApplyOptions apply;
  apply.manager = options.field_manager;
  apply.subresource = scope.subresource == "finalize" ? "" : scope.subresource;
  apply.api_version = scope.resource->group.empty()
                          ? std::string(scope.resource->version)
                          : base::concat(scope.resource->group, "/", scope.resource->version);
  apply.now = options_.clock->now();
  api::track_update(*scope.resource->type, live, object, apply);
}

api::ApiError store_error(const Scope& scope, const base::Status& status) {
  switch (status.code()) {
    case base::Code::already_exists:
      return api::already_exists_error(scope.resource->group, scope.resource->resource, scope.name);
    case base::Code::not_found:
      return api::not_found_error(scope.resource->group, scope.resource->resource, scope.name);
    case base::Code::conflict:
      return api::conflict_error(scope.resource->group, scope.resource->resource, scope.name,
                                 "the object has been modified; please apply your changes to the "
                                 "latest version and try again");
    case base::Code::unavailable:
    case base::Code::cancelled: {
      auto error = api::service_unavailable_error(status.message());
      error.retry_after_seconds = 1;
      return error;
    }
    case base::Code::too_large: return api::too_large_error(status.message());
    default: return api::internal_api_error(status.message());
  }
}

const Json& view_of(const Scope& scope, const Json& stored, Json& room) {
  if (scope.subresource == "scale") return room = scale_of(stored);
  if (scope.resource->group == scope.resource->storage_group) return stored;
  return room = event_to_events_group(stored);
}

Json to_view(const Scope& scope, const Json& stored) {
  Json room;
  return view_of(scope, stored, room);
}

api::Outcome<Json> from_view(const Scope& scope, Json view, const Json& live) {
  if (scope.subresource == "scale") return apply_scale(live, view);
  if (scope.resource->group != scope.resource->storage_group) return event_to_core(view);
  return view;
}

}  // namespace skiff::registry
