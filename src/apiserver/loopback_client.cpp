// client::Client in this process: skips sockets, TLS and text, skips no filter.
#include <skiff/client/client.h>

#include <skiff/base/strings.h>
#include <skiff/client/resource_path.h>

#include "apiserver/filters/filters.h"
#include "apiserver/handlers/handlers.h"
#include "apiserver/limits.h"
#include "apiserver/routes.h"
#include "apiserver/selection.h"
#include "apiserver/server.h"
#include "apiserver/watch_filter.h"

namespace skiff::apiserver {

using client::Client;
using client::Resource;
using client::resource_path;
using codec::Json;

namespace {

std::string list_target(Resource resource, const client::ListOptions& options, bool watch) {
  std::string target = client::resource_path(resource, options.namespace_name, {}, {});
  if (watch) client::add_query(target, "watch", "true");
  client::add_selectors(target, options);
  return target;
}

// The name under which a user's changes are tracked.
std::string manager_of(const auth::User& user) {
  if (!auth::node_name_of(user).empty()) return "kubelet";
  std::string_view name = user.name;
  if (name.starts_with("system:")) name.remove_prefix(7);
  return std::string(name);
}

// Events of one watch, from the hub. Thread-compatible.
class LoopbackWatch final : public client::WatchStream {
 public:
  LoopbackWatch(std::unique_ptr<watch::Subscription> subscription, WatchFilter filter,
                base::CancelToken cancel)
      : subscription_(std::move(subscription)),
        filter_(std::move(filter)),
        cancel_(std::move(cancel)) {}

  base::Task<base::Result<std::vector<client::WatchEvent>>> next() override {
    std::vector<client::WatchEvent> events;
    while (events.empty()) {
      auto waiting = subscription_->next(kWatchBatchMax, cancel_);
      auto batch = co_await std::move(waiting);
      if (!batch.is_ok()) co_return batch.status();
      for (const auto& change : batch->changes) add_event(*change, events);
    }
    co_return events;
  }

 private:
  void add_event(const watch::Change& change, std::vector<client::WatchEvent>& events) const {
    auto seen = filter_.look_at(change);
    if (!seen) return;
    client::WatchEvent event;
    event.type = client::WatchEvent::Type::modified;
    if (seen->type == "ADDED") event.type = client::WatchEvent::Type::added;
    if (seen->type == "DELETED") event.type = client::WatchEvent::Type::removed;
    event.object = std::move(seen->object);
    event.revision = change.revision;
    events.push_back(std::move(event));
  }

  std::unique_ptr<watch::Subscription> subscription_;
  WatchFilter filter_;
  base::CancelToken cancel_;
};

// Thread-safe. Work runs on the server's workers; answers come back to the caller's executor.
class LoopbackClient final : public Client {
 public:
  LoopbackClient(Services& services, auth::User user)
      : services_(services), user_(std::move(user)) {}

  base::Duration retry_wait_max() const override { return kLoopbackRetryMax; }

  base::Task<ObjectResult> get(Resource resource, std::string namespace_name,
                               std::string name) override {
    base::Executor& home = *base::Executor::current();
    co_await base::switch_to(*services_.options.workers);
    auto result = get_now(resource_path(resource, namespace_name, name, {}));
    co_await base::switch_to(home);
    co_return result;
  }

  base::Task<base::Result<client::ObjectList>> list(Resource resource,
                                                    client::ListOptions options) override {
    base::Executor& home = *base::Executor::current();
    co_await base::switch_to(*services_.options.workers);
    auto task = list_now(list_target(resource, options, false));
    auto result = co_await std::move(task);
    co_await base::switch_to(home);
    co_return result;
  }

  base::Task<base::Result<std::unique_ptr<client::WatchStream>>> watch(
      Resource resource, client::ListOptions options, std::uint64_t revision,
      base::CancelToken cancel) override {
    auto context = make_context("GET", list_target(resource, options, true));
    auto permit = enter(*context);
    if (!permit.is_ok()) co_return api::to_base_status(permit.error());
    auto filter =
        WatchFilter::make(*context->info.type, options.label_selector, options.field_selector);
    if (!filter.is_ok()) co_return api::to_base_status(filter.error());
    auto scope = context->scope();
    scope.name.clear();
    auto subscription = services_.registry->hub().subscribe(registry::prefix_of(scope), revision);
    if (!subscription.is_ok()) co_return subscription.status();
    std::unique_ptr<client::WatchStream> stream = std::make_unique<LoopbackWatch>(
        std::move(*subscription), std::move(filter).value(), std::move(cancel));
    co_return stream;
  }

  base::Task<ObjectResult> create(Resource resource, std::string namespace_name, Json object,
                                  std::string subresource, std::string name) override {
    base::Executor& home = *base::Executor::current();
    co_await base::switch_to(*services_.options.workers);
    auto context = make_context("POST", resource_path(resource, namespace_name, name, subresource));
    auto task = create_now(*context, std::move(object));
    auto result = co_await std::move(task);
    co_await base::switch_to(home);
    co_return result;
  }

  base::Task<ObjectResult> update(Resource resource, Json object,
                                  std::string subresource) override {
    base::Executor& home = *base::Executor::current();
    co_await base::switch_to(*services_.options.workers);
    auto context = make_context("PUT", resource_path(resource, api::namespace_of(object),
                                                     api::name_of(object), subresource));
    auto task = update_now(*context, std::move(object));
    auto result = co_await std::move(task);
    co_await base::switch_to(home);
    co_return result;
  }

  base::Task<ObjectResult> patch(Resource resource, std::string namespace_name, std::string name,
                                 client::PatchType type, Json patch,
                                 std::string subresource) override {
    base::Executor& home = *base::Executor::current();
    co_await base::switch_to(*services_.options.workers);
    auto context =
        make_context("PATCH", resource_path(resource, namespace_name, name, subresource));
    auto task = patch_now(*context, type, std::move(patch));
    auto result = co_await std::move(task);
    co_await base::switch_to(home);
    co_return result;
  }

  base::Task<base::Status> remove(Resource resource, std::string namespace_name, std::string name,
                                  client::DeleteOptions options) override {
    base::Executor& home = *base::Executor::current();
    co_await base::switch_to(*services_.options.workers);
    auto context = make_context("DELETE", resource_path(resource, namespace_name, name, {}));
    auto task = remove_now(*context, std::move(options));
    auto status = co_await std::move(task);
    co_await base::switch_to(home);
    co_return status;
  }

 private:
  std::unique_ptr<RequestContext> make_context(std::string_view method, std::string target) const {
    http::Request request;
    request.method = method;
    request.target = std::move(target);
    request.peer.address = "loopback";
    return std::unique_ptr<RequestContext>(
        new RequestContext{services_, std::move(request), {}, {}, {}, {}});
  }

  api::Outcome<FlowPermit> enter(RequestContext& context) const {
    SKIFF_TRY(auto permit, run_filters(context, &user_));
    SKIFF_CHECK(check_route(context));
    return permit;
  }

  WriteParameters parameters() const {
    WriteParameters result;
    result.field_validation = FieldValidation::ignore;
    result.field_manager = manager_of(user_);
    return result;
  }

  ObjectResult get_now(std::string target) const {
    auto context = make_context("GET", std::move(target));
    auto permit = enter(*context);
    if (!permit.is_ok()) return api::to_base_status(permit.error());
    auto object = services_.registry->get(context->scope());
    if (!object.is_ok()) return api::to_base_status(object.error());
    return shown(*context, object.value());
  }

  static ObjectResult shown(const RequestContext& context, const api::StoredObject& object) {
    if (auto converted = registry::convert_for_read(*context.info.type, object)) {
      return std::move(*converted);
    }
    return object.parse();
  }

  base::Task<base::Result<client::ObjectList>> list_now(std::string target) const {
    auto context = make_context("GET", std::move(target));
    auto permit = enter(*context);
    if (!permit.is_ok()) co_return api::to_base_status(permit.error());
    auto parameters = list_parameters(context->query);
    if (!parameters.is_ok()) co_return api::to_base_status(parameters.error());
    auto scope = context->scope();
    scope.name.clear();
    auto task = select_objects(services_, std::move(scope), std::move(parameters).value(),
                               base::CancelToken());
    auto selected = co_await std::move(task);
    if (!selected.is_ok()) co_return api::to_base_status(selected.error());
    client::ObjectList list;
    list.items = std::move(selected.value().items);
    list.revision = selected.value().revision;
    co_return list;
  }

  base::Task<ObjectResult> create_now(RequestContext& context, Json object) const {
    auto permit = enter(context);
    if (!permit.is_ok()) co_return api::to_base_status(permit.error());
    const auto* type = body_type(context.info);
    if (type == nullptr) co_return base::internal_error("the subresource has no type");
    auto checked = check_object(context, *type, std::move(object), FieldValidation::ignore, {});
    if (!checked.is_ok()) co_return api::to_base_status(checked.error());
    if (auto review = find_review(context.info)) {
      auto answer = review(context, std::move(checked).value());
      if (!answer.is_ok()) co_return api::to_base_status(answer.error());
      co_return std::move(answer).value();
    }
    if (context.info.subresource == "token") {
      auto task = request_token(context, std::move(checked).value());
      auto answer = co_await std::move(task);
      if (!answer.is_ok()) co_return api::to_base_status(answer.error());
      co_return std::move(answer).value();
    }
    if (context.info.subresource == "binding") {
      auto task = bind_pod(context, std::move(checked).value(), false);
      auto bound = co_await std::move(task);
      if (!bound.is_ok()) co_return api::to_base_status(bound.error());
      co_return success_status(201);
    }
    auto task = create_object(context, std::move(checked).value(), parameters());
    auto written = co_await std::move(task);
    co_return written_tree(context, std::move(written));
  }

  base::Task<ObjectResult> update_now(RequestContext& context, Json object) const {
    auto permit = enter(context);
    if (!permit.is_ok()) co_return api::to_base_status(permit.error());
    const auto* type = body_type(context.info);
    if (type == nullptr) co_return base::internal_error("the subresource has no type");
    auto checked = check_object(context, *type, std::move(object), FieldValidation::ignore, {});
    if (!checked.is_ok()) co_return api::to_base_status(checked.error());
    auto task = update_object(context, std::move(checked).value(), parameters());
    auto written = co_await std::move(task);
    co_return written_tree(context, std::move(written));
  }

  base::Task<ObjectResult> patch_now(RequestContext& context, client::PatchType type,
                                     Json patch) const {
    auto permit = enter(context);
    if (!permit.is_ok()) co_return api::to_base_status(permit.error());
    auto kind = PatchKind::json;
    if (type == client::PatchType::merge) kind = PatchKind::merge;
    if (type == client::PatchType::strategic) kind = PatchKind::strategic;
    if (type == client::PatchType::apply) kind = PatchKind::apply;
    auto options = parameters();
    options.force = kind == PatchKind::apply;
    auto task = patch_object(context, kind, std::move(patch), std::move(options));
    auto written = co_await std::move(task);
    co_return written_tree(context, std::move(written));
  }

  base::Task<base::Status> remove_now(RequestContext& context,
                                      client::DeleteOptions options) const {
    auto permit = enter(context);
    if (!permit.is_ok()) co_return api::to_base_status(permit.error());
    registry::DeleteOptions wanted;
    wanted.grace_period_seconds = options.grace_period_seconds;
    wanted.uid = std::move(options.uid);
    wanted.resource_version = std::move(options.resource_version);
    wanted.propagation_policy = std::move(options.propagation_policy);
    auto task = delete_object(context, std::move(wanted));
    auto deleted = co_await std::move(task);
    co_return deleted.is_ok() ? base::Status() : api::to_base_status(deleted.error());
  }

  static ObjectResult written_tree(const RequestContext& context,
                                   api::Outcome<registry::Written> outcome) {
    if (!outcome.is_ok()) return api::to_base_status(outcome.error());
    registry::Written written = std::move(outcome).value();
    if (context.info.subresource == "scale") {
      auto tree = written.stored.parse();
      if (!tree.is_ok()) return tree.status();
      return registry::scale_of(*tree);
    }
    const api::ResourceInfo& resource = *context.info.type;
    if (written.object && resource.group == resource.storage_group)
      return std::move(*written.object);
    return shown(context, written.stored);
  }

  Services& services_;
  const auth::User user_;
};

}  // namespace

std::unique_ptr<Client> make_loopback_client(Services& services, auth::User user) {
  return std::make_unique<LoopbackClient>(services, std::move(user));
}

}  // namespace skiff::apiserver
