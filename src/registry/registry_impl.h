// The one implementation of Registry, shared by the files of its verbs.
#pragma once

#include <skiff/base/age.h>
#include <skiff/registry/registry.h>

#include <memory>
#include <string>

#include "registry/allocators/service_allocator.h"
#include "registry/strategy.h"

namespace skiff::registry {

// Thread-safe: all state is in the hub, the store and the allocators.
class RegistryImpl final : public Registry {
 public:
  RegistryImpl(Options options, std::unique_ptr<ServiceAllocator> services);

  // Takes the addresses and ports of every stored service. Errors: data_loss.
  base::Status adopt_services();

  api::Outcome<api::StoredObject> get(const Scope& scope) const override;
  watch::Snapshot snapshot() const override { return options_.hub->snapshot(); }
  watch::Hub& hub() override { return *options_.hub; }
  base::Task<api::Outcome<Written>> create(Scope scope, codec::Json object, WriteOptions options,
                                           WriteHooks& hooks) override;
  base::Task<api::Outcome<Written>> update(Scope scope, Transform& transform, WriteOptions options,
                                           WriteHooks& hooks) override;
  base::Task<api::Outcome<Deleted>> remove(Scope scope, DeleteOptions options,
                                           WriteHooks& hooks) override;
  base::Task<api::Outcome<>> bind(Scope scope, codec::Json binding, bool dry_run,
                                  WriteHooks& hooks) override;
  base::Task<void> expire_events(base::Timers& timers, base::CancelToken cancel) override;

 private:
  // One try. `lost_race` is set when somebody else was faster: try again.
  base::Task<api::Outcome<Written>> create_once(const Scope& scope, codec::Json object,
                                                const WriteOptions& options, WriteHooks& hooks,
                                                bool* lost_race);
  base::Task<api::Outcome<Written>> update_once(const Scope& scope, Transform& transform,
                                                const WriteOptions& options, WriteHooks& hooks,
                                                bool* lost_race);
  base::Task<api::Outcome<Written>> store_update(const Scope& scope, codec::Json object,
                                                 const codec::Json& live,
                                                 store::Revision live_revision,
                                                 const WriteOptions& options, bool* lost_race);
  base::Task<api::Outcome<Deleted>> remove_once(const Scope& scope, const DeleteOptions& options,
                                                WriteHooks& hooks, bool* lost_race);
  base::Task<base::Result<store::Revision>> commit(store::Write write);
  base::Task<void> sweep_events(base::AgeMeter& ages, std::optional<base::Duration>* next);

  api::ApiError not_found(const Scope& scope) const;
  api::ApiError modified(const Scope& scope) const;
  void track(const Scope& scope, const WriteOptions& options, const codec::Json& live,
             codec::Json& object) const;

  const Options options_;
  const std::unique_ptr<ServiceAllocator> services_;
};

// Errors of the store that no retry of ours mends.
api::ApiError store_error(const Scope& scope, const base::Status& status);

// Between what is stored and what the scope's resource or subresource shows.
codec::Json to_view(const Scope& scope, const codec::Json& stored);
// The same without a copy where both are one; `room` is for a view that differs.
const codec::Json& view_of(const Scope& scope, const codec::Json& stored, codec::Json& room);
api::Outcome<codec::Json> from_view(const Scope& scope, codec::Json view, const codec::Json& live);

}  // namespace skiff::registry
