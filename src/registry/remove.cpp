#include <skiff/base/strings.h>

#include "registry/durability.h"
#include "registry/limits.h"
#include "registry/registry_impl.h"

namespace skiff::registry {

using codec::Json;

base::Task<api::Outcome<Deleted>> RegistryImpl::remove(Scope scope, DeleteOptions options,
                                                       WriteHooks& hooks) {
  for (int attempt = 1;; ++attempt) {
    bool lost_race = false;
    auto trying = remove_once(scope, options, hooks, &lost_race);
    auto deleted = co_await std::move(trying);
    if (!lost_race || attempt == kConflictRetriesMax) co_return deleted;
  }
}

base::Task<api::Outcome<Deleted>> RegistryImpl::remove_once(const Scope& scope,
                                                            const DeleteOptions& options,
                                                            WriteHooks& hooks, bool* lost_race) {
  const Strategy& strategy = strategy_of(*scope.resource);
  auto now = snapshot();
  auto entry = now.get(key_of(scope));
  if (!entry) co_return not_found(scope);
  auto live_tree = api::StoredObject(entry->value, entry->revision).parse();
  if (!live_tree.is_ok()) co_return store_error(scope, live_tree.status());
  const Json live = std::move(*live_tree);
  Json nothing;
  auto admitting = hooks.mutate(nothing, live);
  SKIFF_CO_CHECK(co_await std::move(admitting));
  SKIFF_CO_CHECK(check_preconditions(scope, live, options));
  auto validating = hooks.validate(nothing, live);
  SKIFF_CO_CHECK(co_await std::move(validating));

  auto plan =
      plan_delete(live, options, strategy.grace, strategy.is_namespace, options_.clock->now());
  Deleted deleted;
  deleted.stored = api::StoredObject(entry->value, entry->revision);
  deleted.gone = plan.action == DeletePlan::Action::remove;
  if (options.dry_run || plan.action == DeletePlan::Action::nothing) co_return deleted;

  store::Write write;
  write.key = key_of(scope);
  write.expected = entry->revision;
  auto bytes = entry->value;
  if (deleted.gone) {
    write.op = store::Write::Op::remove;
    write.durability = durability_of_remove(*scope.resource);
  } else {
    bytes = api::StoredObject::encode(plan.object);
    write.value = bytes;
  }
  auto committing = commit(std::move(write));
  auto revision = co_await std::move(committing);
  if (!revision.is_ok()) {
    *lost_race = revision.code() == base::Code::conflict;
    co_return store_error(scope, revision.status());
  }
  if (deleted.gone && strategy.is_service) services_->release(live);
  deleted.stored = api::StoredObject(std::move(bytes), *revision);
  co_return deleted;
}

}  // namespace skiff::registry
