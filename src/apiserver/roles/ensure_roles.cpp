// Default roles and bindings at the start: everything that has to be written goes at once, so that
// the store makes one group of it.
#include <skiff/base/strings.h>

#include <malloc.h>
#include <mutex>

#include "apiserver/context.h"
#include "apiserver/roles/default_roles.h"
#include "apiserver/roles/plan_reconcile.h"

namespace skiff::apiserver {

using client::Client;
using codec::Json;

namespace {

struct Step {
  client::Resource resource;
  bool is_new = false;
  Reconciled plan;
};

// The first error of tasks that run side by side. Thread-safe.
class FirstError {
 public:
  void note(base::Status status) {
    std::lock_guard lock(mutex_);
    if (status_.is_ok()) status_ = std::move(status);
  }
  base::Status get() const {
    std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  mutable std::mutex mutex_;
  base::Status status_;
};

// What differs from `wanted`; nullopt when nothing does.
std::optional<Step> plan_step(const auth::ObjectReader& reader, DefaultObject wanted) {
  const Json& object = wanted.object;
  auto stored = reader.get(wanted.resource.group, wanted.resource.resource,
                           api::namespace_of(object), api::name_of(object));
  if (stored.empty()) return Step{wanted.resource, true, {{}, std::move(wanted.object)}};
  if (is_reconciled(stored.text(), object)) return std::nullopt;
  auto found = stored.parse();
  if (!found.is_ok()) return std::nullopt;
  auto plan = object["roleRef"].is_null() ? plan_reconcile_role(*found, object)
                                          : plan_reconcile_binding(*found, object);
  if (plan.action == Reconciled::Action::nothing) return std::nullopt;
  return Step{wanted.resource, false, std::move(plan)};
}

std::vector<Step> plan_steps(const auth::ObjectReader& reader) {
  std::vector<Step> steps;
  visit_default_roles(default_roles_text(), [&](DefaultObject wanted) {
    if (auto step = plan_step(reader, std::move(wanted))) steps.push_back(std::move(*step));
  });
  return steps;
}

base::Task<base::Status> write(Client& client, Step step) {
  std::string namespace_name(api::namespace_of(step.plan.object));
  std::string name(api::name_of(step.plan.object));
  if (!step.is_new && step.plan.action == Reconciled::Action::update) {
    auto updating = client.update(step.resource, std::move(step.plan.object));
    auto updated = co_await std::move(updating);
    co_return updated.status();
  }
  if (!step.is_new) {
    auto removing = client.remove(step.resource, namespace_name, name);
    SKIFF_CO_RETURN_IF_ERROR(co_await std::move(removing));
  }
  auto creating = client.create(step.resource, namespace_name, std::move(step.plan.object));
  auto created = co_await std::move(creating);
  co_return created.code() == base::Code::already_exists ? base::Status() : created.status();
}

base::Task<void> run_step(Client& client, Step step, FirstError& error) {
  const std::string what =
      base::concat(step.resource.resource, " ", api::name_of(step.plan.object));
  auto writing = write(client, std::move(step));
  auto status = co_await std::move(writing);
  if (!status.is_ok()) error.note(status.with_context(what));
}

}  // namespace

base::Task<base::Status> ensure_roles(Services& services, Client& client) {
  auto steps = plan_steps(*services.reader);
  if (steps.empty()) co_return base::Status();
  FirstError error;
  base::TaskScope scope(*services.options.workers);
  for (auto& step : steps) scope.spawn(run_step(client, std::move(step), error));
  auto joining = scope.join();
  co_await std::move(joining);
  // The first start has all of them in the making at once, which nothing after it needs again.
  malloc_trim(0);
  co_return error.get();
}

}  // namespace skiff::apiserver
