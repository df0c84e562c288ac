#include <skiff/api/defaults.h>
#include <skiff/api/validation.h>
#include <skiff/base/strings.h>

#include "registry/durability.h"
#include "registry/limits.h"
#include "registry/registry_impl.h"

namespace skiff::registry {

using codec::Json;

namespace {

std::string generate_name(std::string_view base_name, base::Random& random) {
  constexpr auto kBaseMax = kGeneratedNameLengthMax - kGeneratedNameSuffixLength;
  std::string name(base_name.substr(0, kBaseMax));
  name += base::make_name_suffix(random, kGeneratedNameSuffixLength);
  return name;
}

}  // namespace

base::Task<api::Outcome<Written>> RegistryImpl::create(Scope scope, Json object,
                                                       WriteOptions options, WriteHooks& hooks) {
  const std::string base_name(object.at({"metadata", "generateName"}).as_string());
  const bool generated = scope.name.empty() && !base_name.empty();
  for (int attempt = 1;; ++attempt) {
    if (generated) {
      scope.name = generate_name(base_name, *options_.random);
      object["metadata"].set("name", scope.name);
    }
    bool lost_race = false;
    Json once = generated ? object : std::move(object);
    auto trying = create_once(scope, std::move(once), options, hooks, &lost_race);
    auto written = co_await std::move(trying);
    if (!lost_race || !generated || attempt == kGenerateNameAttemptsMax) co_return written;
  }
}

base::Task<api::Outcome<Written>> RegistryImpl::create_once(const Scope& scope, Json object,
                                                            const WriteOptions& options,
                                                            WriteHooks& hooks, bool* lost_race) {
  const api::ResourceInfo& resource = *scope.resource;
  const Strategy& strategy = strategy_of(resource);
  const Json nothing;
  if (!api::resource_version_of(object).empty()) {
    co_return api::bad_request_error("resourceVersion should not be set on objects to be created");
  }
  Json managed_fields = std::as_const(object)["metadata"]["managedFields"];
  const bool is_tracked_before = strategy.is_completed && !options.is_apply;
  if (is_tracked_before) {
    track(scope, options, nothing, object);
    managed_fields = std::as_const(object)["metadata"]["managedFields"];
  }
  auto mutating = hooks.mutate(object, nothing);
  SKIFF_CO_CHECK(co_await std::move(mutating));
  plan_create(strategy.rules, base::make_uuid(*options_.random), options_.clock->now(), object);
  if (options.is_apply || is_tracked_before) {
    object["metadata"].set("managedFields", std::move(managed_fields));
  }
  if (resource.namespaced) {
    object["metadata"].set("namespace", scope.namespace_name);
  } else {
    object["metadata"].erase("namespace");
  }
  if (resource.group != resource.storage_group) object = event_to_core(object);
  if (strategy.prepare_create != nullptr) strategy.prepare_create(object);
  if (!is_tracked_before) track(scope, options, nothing, object);
  Json room;
  auto errors = api::validate_create(resource, view_of(scope, object, room));
  if (!errors.empty()) co_return api::invalid_error(resource, scope.name, errors);
  auto validating = hooks.validate(object, nothing);
  SKIFF_CO_CHECK(co_await std::move(validating));

  std::unique_ptr<ServiceReservation> reservation;
  if (strategy.is_service) {
    reservation = services_->begin();
    errors = reservation->fill(object, nothing);
    if (!errors.empty()) co_return api::invalid_error(resource, scope.name, errors);
  }
  Written written;
  written.created = true;
  const std::string key = key_of(scope);
  if (options.dry_run) {
    if (snapshot().get(key)) {
      *lost_race = true;
      co_return api::already_exists_error(resource.group, resource.resource, scope.name);
    }
    written.tree = to_view(scope, object);
    co_return written;
  }
  auto bytes = api::StoredObject::encode(object);
  store::Write write;
  write.key = key;
  write.value = bytes;
  write.expected = 0;
  write.durability = durability_of_put(resource, scope.subresource, object, nothing);
  auto committing = commit(std::move(write));
  auto revision = co_await std::move(committing);
  if (!revision.is_ok()) {
    *lost_race = revision.code() == base::Code::already_exists;
    co_return store_error(scope, revision.status());
  }
  if (reservation != nullptr) reservation->keep();
  written.stored = api::StoredObject(std::move(bytes), *revision);
  object["metadata"].set("resourceVersion", std::to_string(*revision));
  written.object = std::move(object);
  co_return written;
}

}  // namespace skiff::registry
