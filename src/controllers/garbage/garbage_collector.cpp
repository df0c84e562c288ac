#include <skiff/api/kind.h>
#include <skiff/base/strings.h>

#include <algorithm>

#include "controllers/garbage/owner_graph.h"
#include "controllers/garbage/plan_garbage.h"
#include "controllers/list_of_controllers.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;

// Keys are "<number of the resource> <key of the object>". One sync does whatever the object needs:
// let its dependents go (orphan), wait for them (foreground), or follow its owners.
class GarbageCollector final : public KeyedController {
 public:
  explicit GarbageCollector(Context& context) : KeyedController(context) {
    for (const api::ResourceInfo& info : api::all_resources()) {
      auto has = [&](std::string_view verb) {
        return std::find(info.verbs.begin(), info.verbs.end(), verb) != info.verbs.end();
      };
      bool is_own_storage =
          info.storage_group == info.group && info.storage_resource == info.resource;
      // Events own nothing, are owned by nobody, and are many.
      if (!has("watch") || !has("delete") || !is_own_storage || info.resource == "events") continue;
      std::size_t number = kinds_.size();
      client::Resource resource{info.group, info.version, info.resource};
      kinds_.push_back({resource, &needs(resource), info.namespaced});
      watch(resource, [this, number](const auto& before, const auto& after) {
        changed(number, before, after);
      });
    }
  }
  std::string_view name() const override { return "garbage-collector"; }

 protected:
  Task<Status> sync(std::string key) override;

 private:
  struct Kind {
    client::Resource resource;
    client::Informer* informer;
    bool namespaced;
  };

  void enqueue(const ObjectPlace& place) {
    queue_->add(base::concat(place.resource, ' ', place.key));
  }
  void changed(std::size_t number, const api::StoredObject& before, const api::StoredObject& after);
  void removed(const api::ObjectSummary& object);
  bool waits(const api::StoredObject& object);
  void enqueue_owners(const api::ObjectSummary& object);
  const Kind* kind_of_reference(const Json& owner, std::size_t* number = nullptr) const;
  Task<base::Result<OwnerState>> state_of(const Json owner, std::string namespace_name,
                                          bool dependent_namespaced);
  Task<Status> follow_owners(const Kind& kind, JsonPtr object);
  bool is_in_a_circle(const Json& object) const;
  Task<Status> orphan_dependents(const Kind& kind, JsonPtr object);
  Task<Status> wait_for_dependents(const Kind& kind, JsonPtr object);
  Task<Status> patch(const Kind& kind, JsonPtr object, Json patch);

  std::vector<Kind> kinds_;
  OwnerGraph graph_;
};

std::string key_of(const api::ObjectSummary& object) {
  if (object.namespace_name.empty()) return object.name;
  return base::concat(object.namespace_name, '/', object.name);
}

void GarbageCollector::changed(std::size_t number, const api::StoredObject& before,
                               const api::StoredObject& after) {
  SummaryPtr old_object = context_.parsed.summary(before);
  SummaryPtr object = context_.parsed.summary(after);
  if (!before.empty() && (after.empty() || old_object->uid != object->uid)) removed(*old_object);
  if (after.empty()) return;
  if (object->owners.is_null() && !object->is_being_deleted) {
    graph_.forget(object->uid);
    return;
  }
  ObjectPlace place{number, key_of(*object)};
  bool is_new = graph_.set_owners(object->uid, place, object->owners);
  if (is_new || (object->is_being_deleted && waits(after))) enqueue(place);
  // An owner in foreground deletion counts only the dependents that block it.
  if (object->is_being_deleted) enqueue_owners(*object);
}

// Whether it goes only when the collector has let it.
bool GarbageCollector::waits(const api::StoredObject& object) {
  JsonPtr tree = context_.parsed.parse(object);
  return api::has_finalizer(*tree, kForegroundFinalizer) ||
         api::has_finalizer(*tree, kOrphanFinalizer);
}

void GarbageCollector::removed(const api::ObjectSummary& object) {
  for (const ObjectPlace& dependent : graph_.dependents_of(object.uid)) enqueue(dependent);
  graph_.forget(object.uid);
  enqueue_owners(object);
}

const GarbageCollector::Kind* GarbageCollector::kind_of_reference(const Json& owner,
                                                                  std::size_t* number) const {
  api::ApiVersion version = api::split_api_version(owner["apiVersion"].as_string());
  // Any served version of the kind will do: owners are found by uid.
  for (const api::ResourceInfo& info : api::all_resources()) {
    if (info.group != version.group || info.kind != owner["kind"].as_string()) continue;
    for (std::size_t i = 0; i < kinds_.size(); ++i)
      if (kinds_[i].resource.group == info.storage_group &&
          kinds_[i].resource.resource == info.storage_resource) {
        if (number != nullptr) *number = i;
        return &kinds_[i];
      }
  }
  return nullptr;
}

void GarbageCollector::enqueue_owners(const api::ObjectSummary& object) {
  for (const Json& owner : object.owners.items()) {
    std::size_t number = 0;
    const Kind* kind = kind_of_reference(owner, &number);
    if (kind == nullptr) continue;
    std::string key(owner["name"].as_string());
    if (kind->namespaced) key = base::concat(object.namespace_name, '/', key);
    api::StoredObject stored = kind->informer->get(key);
    SummaryPtr state = context_.parsed.summary(stored);
    if (state->owners.is_null() && !state->is_being_deleted) continue;
    enqueue(ObjectPlace{number, key});
  }
}

Task<Status> GarbageCollector::sync(std::string key) {
  std::size_t space = key.find(' ');
  auto number =
      static_cast<std::size_t>(base::parse_int(std::string_view(key).substr(0, space)).value_or(0));
  const Kind& kind = kinds_[number];
  JsonPtr object = context_.find(*kind.informer, std::string_view(key).substr(space + 1));
  if (!object) co_return Status::ok();
  if (api::is_being_deleted(*object)) {
    if (api::has_finalizer(*object, kOrphanFinalizer))
      co_return co_await orphan_dependents(kind, object);
    if (api::has_finalizer(*object, kForegroundFinalizer))
      co_return co_await wait_for_dependents(kind, object);
    co_return Status::ok();
  }
  co_return co_await follow_owners(kind, object);
}

Task<base::Result<OwnerState>> GarbageCollector::state_of(const Json owner,
                                                          std::string namespace_name,
                                                          bool dependent_namespaced) {
  const Kind* kind = kind_of_reference(owner);
  // A kind that is not served, or a namespaced owner of a cluster-scoped object: never delete on
  // such a guess.
  if (kind == nullptr || (kind->namespaced && !dependent_namespaced)) co_return OwnerState::solid;
  std::string name(owner["name"].as_string());
  std::string_view uid = owner["uid"].as_string();
  if (!kind->namespaced) namespace_name.clear();
  auto judge = [uid](const Json& found) {
    if (api::uid_of(found) != uid) return OwnerState::absent;
    bool waits = api::is_being_deleted(found) && api::has_finalizer(found, kForegroundFinalizer);
    return waits ? OwnerState::waiting : OwnerState::solid;
  };
  std::string key = namespace_name.empty() ? name : base::concat(namespace_name, '/', name);
  JsonPtr known = context_.find(*kind->informer, key);
  if (known && api::uid_of(*known) == uid) co_return judge(*known);
  // The informer may be behind: only the server's answer counts for absence.
  auto getting = context_.client.get(kind->resource, namespace_name, name);
  auto found = co_await std::move(getting);
  if (found.code() == base::Code::not_found) co_return OwnerState::absent;
  if (!found.is_ok()) co_return found.status();
  co_return judge(*found);
}

Task<Status> GarbageCollector::follow_owners(const Kind& kind, JsonPtr object) {
  std::vector<OwnerState> states;
  std::string namespace_name(api::namespace_of(*object));
  for (const Json& owner : object->at({"metadata", "ownerReferences"}).items()) {
    auto asking = state_of(owner, namespace_name, kind.namespaced);
    auto state = co_await std::move(asking);
    if (!state.is_ok()) co_return state.status();
    states.push_back(*state);
  }
  GarbagePlan plan = plan_garbage(*object, states, graph_.has_dependents(api::uid_of(*object)));
  if (plan.action == GarbagePlan::Action::keep) co_return Status::ok();
  if (plan.action == GarbagePlan::Action::drop_owners) {
    Json change = drop_owners_patch(*object, plan.owner_uids);
    co_return co_await patch(kind, object, std::move(change));
  }
  client::DeleteOptions options;
  options.uid = api::uid_of(*object);
  options.resource_version = api::resource_version_of(*object);
  if (plan.is_waited_for && is_in_a_circle(*object)) {
    auto unblocking =
        context_.client.patch(kind.resource, namespace_name, std::string(api::name_of(*object)),
                              client::PatchType::merge, unblock_owners_patch(*object));
    auto unblocked = co_await std::move(unblocking);
    if (unblocked.code() == base::Code::not_found) co_return Status::ok();
    if (!unblocked.is_ok()) co_return unblocked.status();
    options.resource_version = api::resource_version_of(*unblocked);
  }
  options.propagation_policy = plan.propagation_policy;
  auto removing = context_.client.remove(kind.resource, namespace_name,
                                         std::string(api::name_of(*object)), options);
  Status removed = co_await std::move(removing);
  co_return removed.code() == base::Code::not_found ? Status::ok() : removed;
}

// Whether something that it owns waits for its dependents: that may wait for this object, which
// waits for it in turn.
bool GarbageCollector::is_in_a_circle(const Json& object) const {
  for (const ObjectPlace& place : graph_.dependents_of(api::uid_of(object))) {
    JsonPtr dependent = context_.find(*kinds_[place.resource].informer, place.key);
    if (dependent && api::is_being_deleted(*dependent) &&
        api::has_finalizer(*dependent, kForegroundFinalizer))
      return true;
  }
  return false;
}

Task<Status> GarbageCollector::orphan_dependents(const Kind& kind, JsonPtr object) {
  std::vector<std::string> uids = {std::string(api::uid_of(*object))};
  for (const ObjectPlace& place : graph_.dependents_of(uids[0])) {
    const Kind& dependent_kind = kinds_[place.resource];
    JsonPtr dependent = context_.find(*dependent_kind.informer, place.key);
    if (!dependent) continue;
    Json change = drop_owners_patch(*dependent, uids);
    SKIFF_CO_RETURN_IF_ERROR(co_await patch(dependent_kind, dependent, std::move(change)));
  }
  Json change = drop_finalizer_patch(*object, kOrphanFinalizer);
  co_return co_await patch(kind, object, std::move(change));
}

Task<Status> GarbageCollector::wait_for_dependents(const Kind& kind, JsonPtr object) {
  std::string_view uid = api::uid_of(*object);
  bool blocked = false;
  for (const ObjectPlace& place : graph_.dependents_of(uid)) {
    JsonPtr dependent = context_.find(*kinds_[place.resource].informer, place.key);
    if (!dependent) continue;
    for (const Json& owner : dependent->at({"metadata", "ownerReferences"}).items())
      if (owner["uid"].as_string() == uid) blocked |= owner["blockOwnerDeletion"].as_bool();
    if (!api::is_being_deleted(*dependent)) enqueue(place);
  }
  if (blocked) co_return Status::ok();  // the last dependent brings the key again
  Json change = drop_finalizer_patch(*object, kForegroundFinalizer);
  co_return co_await patch(kind, object, std::move(change));
}

Task<Status> GarbageCollector::patch(const Kind& kind, JsonPtr object, Json patch) {
  auto patching = context_.client.patch(kind.resource, std::string(api::namespace_of(*object)),
                                        std::string(api::name_of(*object)),
                                        client::PatchType::merge, std::move(patch));
  auto patched = co_await std::move(patching);
  co_return patched.code() == base::Code::not_found ? Status::ok() : patched.status();
}

}  // namespace

std::unique_ptr<Controller> make_garbage_collector(Context& context) {
  return std::make_unique<GarbageCollector>(context);
}

}  // namespace skiff::controllers
