#include <skiff/api/validation.h>
#include <skiff/base/strings.h>

#include "registry/durability.h"
#include "registry/limits.h"
#include "registry/registry_impl.h"

namespace skiff::registry {

using codec::Json;

namespace {

api::ApiError uid_mismatch(const Scope& scope, std::string_view wanted, std::string_view found) {
  return api::conflict_error(scope.resource->group, scope.resource->resource, scope.name,
                             base::concat("Precondition failed: UID in precondition: ", wanted,
                                          ", UID in object meta: ", found));
}

api::ApiError version_required(const Scope& scope) {
  api::FieldErrors errors{{api::FieldError::Type::invalid, "metadata.resourceVersion", "0",
                           "must be specified for an update"}};
  return api::invalid_error(*scope.resource, scope.name, errors);
}

// Takes the addresses that the update needs; null for all kinds but services.
api::Outcome<std::unique_ptr<ServiceReservation>> reserve(ServiceAllocator& services,
                                                          const Scope& scope, Json& object,
                                                          const Json& live) {
  std::unique_ptr<ServiceReservation> reservation;
  if (!strategy_of(*scope.resource).is_service || !scope.subresource.empty()) return reservation;
  reservation = services.begin();
  auto errors = reservation->fill(object, live);
  if (!errors.empty()) return api::invalid_error(*scope.resource, scope.name, errors);
  return reservation;
}

api::FieldErrors validate(const Scope& scope, const Json& object, const Json& live) {
  // The transform of a binding checks all that it changes.
  if (scope.subresource == "binding") return {};
  const Scope whole{scope.resource, "", {}, {}};
  Json room, live_room;
  auto errors =
      api::validate_update(*scope.resource, scope.subresource == "scale" ? "" : scope.subresource,
                           view_of(whole, object, room), view_of(whole, live, live_room));
  auto finalizers = forbidden_new_finalizers(object, live);
  if (!finalizers.empty()) {
    errors.push_back({api::FieldError::Type::forbidden, "metadata.finalizers", "",
                      base::concat("no new finalizers can be added if the object is being "
                                   "deleted, found new finalizers []string{",
                                   finalizers, "}")});
  }
  return errors;
}

}  // namespace

base::Task<api::Outcome<Written>> RegistryImpl::update(Scope scope, Transform& transform,
                                                       WriteOptions options, WriteHooks& hooks) {
  for (int attempt = 1;; ++attempt) {
    bool lost_race = false;
    auto trying = update_once(scope, transform, options, hooks, &lost_race);
    auto written = co_await std::move(trying);
    if (!lost_race || attempt == kConflictRetriesMax) co_return written;
  }
}

base::Task<api::Outcome<Written>> RegistryImpl::update_once(const Scope& scope,
                                                            Transform& transform,
                                                            const WriteOptions& options,
                                                            WriteHooks& hooks, bool* lost_race) {
  const Strategy& strategy = strategy_of(*scope.resource);
  auto now = snapshot();
  auto entry = now.get(key_of(scope));
  if (!entry) {
    const bool may_create =
        options.create_when_absent || (options.is_replace && strategy.create_on_update);
    if (!may_create || !scope.subresource.empty()) co_return not_found(scope);
    SKIFF_CO_TRY(auto fresh, transform.apply(Json()));
    auto creating = create_once(scope, std::move(fresh), options, hooks, lost_race);
    co_return co_await std::move(creating);
  }
  auto live_tree = api::StoredObject(entry->value, entry->revision).parse();
  if (!live_tree.is_ok()) co_return store_error(scope, live_tree.status());
  const Json live = std::move(*live_tree);
  Json room;
  SKIFF_CO_TRY(auto view, transform.apply(view_of(scope, live, room)));
  SKIFF_CO_TRY(auto object, from_view(scope, std::move(view), live));

  for (std::string_view uid : {std::string_view(options.uid), api::uid_of(object)}) {
    if (!uid.empty() && uid != api::uid_of(live)) {
      co_return uid_mismatch(scope, uid, api::uid_of(live));
    }
  }
  auto version = api::resource_version_of(object);
  if (version.empty() || version == "0") {
    if (!strategy.unconditional_update) co_return version_required(scope);
  } else if (version != api::resource_version_of(live)) {
    co_return modified(scope);
  }
  auto mutating = hooks.mutate(object, live);
  SKIFF_CO_CHECK(co_await std::move(mutating));
  plan_update(strategy.rules, scope.subresource, object, live);
  if (strategy.prepare_update != nullptr) {
    strategy.prepare_update(scope.subresource, object, live);
  }
  track(scope, options, live, object);
  auto errors = validate(scope, object, live);
  if (!errors.empty()) co_return api::invalid_error(*scope.resource, scope.name, errors);
  auto validating = hooks.validate(object, live);
  SKIFF_CO_CHECK(co_await std::move(validating));
  auto storing = store_update(scope, std::move(object), live, entry->revision, options, lost_race);
  co_return co_await std::move(storing);
}

base::Task<api::Outcome<Written>> RegistryImpl::store_update(const Scope& scope, Json object,
                                                             const Json& live,
                                                             store::Revision live_revision,
                                                             const WriteOptions& options,
                                                             bool* lost_race) {
  const Strategy& strategy = strategy_of(*scope.resource);
  SKIFF_CO_TRY(auto reservation, reserve(*services_, scope, object, live));
  Written written;
  if (options.dry_run) {
    object["metadata"].set("resourceVersion", std::to_string(live_revision));
    written.tree = to_view(scope, object);
    co_return written;
  }
  auto bytes = api::StoredObject::encode(object);
  store::Write write;
  write.key = key_of(scope);
  write.expected = live_revision;
  const bool ends = ends_with_update(object) &&
                    (!strategy.is_namespace || std::as_const(object)["spec"]["finalizers"].empty());
  if (!ends && same_content(object, live)) {
    auto unchanged = options_.hub->snapshot().get(write.key);
    if (!unchanged || unchanged->revision != live_revision) {
      *lost_race = true;
      co_return modified(scope);
    }
    written.stored = api::StoredObject(unchanged->value, live_revision);
    co_return written;
  }
  if (ends) {
    write.op = store::Write::Op::remove;
    write.durability = durability_of_remove(*scope.resource);
  } else {
    write.value = bytes;
    write.durability = durability_of_put(*scope.resource, scope.subresource, object, live);
  }
  auto committing = commit(std::move(write));
  auto revision = co_await std::move(committing);
  if (!revision.is_ok()) {
    *lost_race = revision.code() == base::Code::conflict ||
                 (revision.code() == base::Code::not_found && options.create_when_absent);
    co_return store_error(scope, revision.status());
  }
  if (reservation != nullptr) reservation->keep();
  if (ends && strategy.is_service) services_->release(object);
  written.stored = api::StoredObject(std::move(bytes), *revision);
  object["metadata"].set("resourceVersion", std::to_string(*revision));
  written.object = std::move(object);
  co_return written;
}

}  // namespace skiff::registry
