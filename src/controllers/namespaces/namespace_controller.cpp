#include <skiff/api/kind.h>
#include <skiff/base/strings.h>

#include <algorithm>

#include "controllers/list_of_controllers.h"
#include "controllers/namespaces/plan_namespace.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::namespaces;
using client::resources::pods;

// Every served resource that a namespace can contain, once per stored form.
std::vector<client::Resource> namespaced_contents() {
  std::vector<client::Resource> contents;
  for (const api::ResourceInfo& info : api::all_resources()) {
    auto has = [&](std::string_view verb) {
      return std::find(info.verbs.begin(), info.verbs.end(), verb) != info.verbs.end();
    };
    bool is_own_storage =
        info.storage_group == info.group && info.storage_resource == info.resource;
    if (!info.namespaced || !has("delete") || !has("list") || !is_own_storage) continue;
    contents.push_back({info.group, info.version, info.resource});
  }
  return contents;
}

std::string qualified(client::Resource resource) {
  if (resource.group.empty()) return std::string(resource.resource);
  return base::concat(resource.resource, '.', resource.group);
}

class NamespaceController final : public KeyedController {
 public:
  explicit NamespaceController(Context& context)
      : KeyedController(context),
        namespaces_(needs(namespaces)),
        pods_(needs(pods)),
        contents_(namespaced_contents()) {
    enqueue_on_change(namespaces);
    watch(pods, [this](const api::StoredObject& before, const api::StoredObject& after) {
      if (!after.empty()) return;
      JsonPtr object = context_.find(namespaces_, before.namespace_name());
      if (object && api::is_being_deleted(*object))
        queue_->add(std::string(before.namespace_name()));
    });
  }
  std::string_view name() const override { return "namespace"; }

 protected:
  Task<Status> sync(std::string key) override {
    JsonPtr object = context_.find(namespaces_, key);
    if (!object || !api::is_being_deleted(*object)) co_return Status::ok();
    if (!has_our_finalizer(*object)) co_return Status::ok();
    auto content = std::make_shared<NamespaceContent>();
    // Pods first: what they use must be there until they ended.
    co_await empty_resource(key, pods, content);
    if (content->remaining.empty() && content->failures.empty())
      for (client::Resource resource : contents_) co_await empty_resource(key, resource, content);

    Json changed = *object;
    changed.set("status", plan_namespace_status(*object, *content, context_.now()));
    if (changed["status"] != (*object)["status"]) {
      auto updating = context_.client.update(namespaces, changed, "status");
      auto updated = co_await std::move(updating);
      if (updated.code() == base::Code::not_found) co_return Status::ok();
      if (!updated.is_ok()) co_return updated.status();
      changed = std::move(*updated);
    }
    if (!content->failures.empty())
      co_return base::unavailable(base::join(content->failures, ", "));
    if (!content->remaining.empty()) {
      queue_->add_after(key, kNamespaceRecheckDelay);
      co_return Status::ok();
    }
    co_return co_await finalize(std::move(changed));
  }

 private:
  static bool has_our_finalizer(const Json& object) {
    for (const Json& finalizer : object.at({"spec", "finalizers"}).items())
      if (finalizer.as_string() == "kubernetes") return true;
    return false;
  }

  // Deletes what is there and counts what is left of it.
  Task<void> empty_resource(std::string namespace_name, client::Resource resource,
                            std::shared_ptr<NamespaceContent> content) {
    client::ListOptions options;
    options.namespace_name = namespace_name;
    auto listing = context_.client.list(resource, options);
    auto listed = co_await std::move(listing);
    if (!listed.is_ok()) {
      content->failures.push_back(
          base::concat("list ", qualified(resource), ": ", listed.status().message()));
      co_return;
    }
    for (const auto& item : listed->items) {
      auto tree = item.parse();
      if (tree.is_ok() && api::is_being_deleted(*tree)) continue;
      client::DeleteOptions delete_options;
      delete_options.uid = item.uid();
      delete_options.propagation_policy = "Background";
      auto removing = context_.client.remove(resource, namespace_name, std::string(item.name()),
                                             delete_options);
      Status removed = co_await std::move(removing);
      if (!removed.is_ok() && removed.code() != base::Code::not_found &&
          removed.code() != base::Code::conflict)
        content->failures.push_back(base::concat("delete ", qualified(resource), ' ', item.name(),
                                                 ": ", removed.message()));
    }
    if (listed->items.empty()) co_return;
    auto listing_again = context_.client.list(resource, options);
    auto left = co_await std::move(listing_again);
    if (!left.is_ok()) co_return;
    if (!left->items.empty())
      content->remaining[qualified(resource)] = static_cast<int>(left->items.size());
    for (const auto& item : left->items) {
      auto tree = item.parse();
      if (!tree.is_ok()) continue;
      for (const Json& finalizer : tree->at({"metadata", "finalizers"}).items())
        ++content->finalizers[std::string(finalizer.as_string())];
    }
  }

  Task<Status> finalize(Json object) {
    Json kept = Json::array();
    for (const Json& finalizer : object.at({"spec", "finalizers"}).items())
      if (finalizer.as_string() != "kubernetes") kept.push_back(finalizer);
    object["spec"].set("finalizers", std::move(kept));
    auto updating = context_.client.update(namespaces, std::move(object), "finalize");
    auto updated = co_await std::move(updating);
    co_return updated.code() == base::Code::not_found ? Status::ok() : updated.status();
  }

  client::Informer& namespaces_;
  client::Informer& pods_;
  const std::vector<client::Resource> contents_;
};

}  // namespace

std::unique_ptr<Controller> make_namespace_controller(Context& context) {
  return std::make_unique<NamespaceController>(context);
}

}  // namespace skiff::controllers
