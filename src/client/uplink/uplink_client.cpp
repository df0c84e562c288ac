#include "client/uplink/uplink_client.h"

#include <skiff/base/strings.h>
#include <skiff/base/version.h>
#include <skiff/client/resource_path.h>

#include "client/limits.h"
#include "client/uplink/answer.h"
#include "client/uplink/list_reader.h"

namespace skiff::client {

using codec::Json;

namespace {

constexpr std::string_view kFieldManager = "kubelet";

http::Http2Request request_of(std::string method, std::string target) {
  http::Http2Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers.add("accept", "application/json");
  request.headers.add("user-agent", base::concat("skiff/", base::kGitVersion));
  return request;
}

// A write in the way that the control plane's own writes have: fields that the server does not know
// are left out without a word.
http::Http2Request write_of(std::string method, std::string target, const Json& body,
                            std::string content_type) {
  add_query(target, "fieldManager", kFieldManager);
  add_query(target, "fieldValidation", "Ignore");
  auto request = request_of(std::move(method), std::move(target));
  request.headers.add("content-type", std::move(content_type));
  request.body = codec::write_json(body);
  return request;
}

std::string_view patch_content_type(PatchType type) {
  switch (type) {
    case PatchType::json: return "application/json-patch+json";
    case PatchType::merge: return "application/merge-patch+json";
    case PatchType::strategic: return "application/strategic-merge-patch+json";
    case PatchType::apply: break;
  }
  return "application/apply-patch+yaml";
}

Json body_of(const DeleteOptions& options) {
  Json body = Json::object({{"kind", "DeleteOptions"}, {"apiVersion", "v1"}});
  if (options.grace_period_seconds) body.set("gracePeriodSeconds", *options.grace_period_seconds);
  Json preconditions = Json::object();
  if (!options.uid.empty()) preconditions.set("uid", options.uid);
  if (!options.resource_version.empty())
    preconditions.set("resourceVersion", options.resource_version);
  if (!preconditions.empty()) body.set("preconditions", std::move(preconditions));
  if (!options.propagation_policy.empty())
    body.set("propagationPolicy", options.propagation_policy);
  return body;
}

// The answer to a request, on the executor of the caller.
base::Task<base::Result<http::ClientResponse>> exchange(std::shared_ptr<MasterLink> link,
                                                        http::Http2Request request) {
  base::Executor& home = *base::Executor::current();
  co_await base::switch_to(link->loop());
  auto sending = MasterLink::send(link, std::move(request));
  auto answer = co_await sending;
  co_await base::switch_to(home);
  co_return answer;
}

base::Task<base::Result<Json>> object_request(std::shared_ptr<MasterLink> link,
                                              http::Http2Request request) {
  auto exchanging = exchange(std::move(link), std::move(request));
  auto answer = co_await exchanging;
  co_return object_of(answer);
}

base::Task<base::Result<ObjectList>> read_list(http::ResponseStream* stream, base::Executor* home,
                                               loop::Loop* loop) {
  ListReader reader;
  std::string refusal;
  const bool good = is_success(stream->status());
  for (;;) {
    auto reading = stream->read();
    auto piece = co_await reading;
    if (!piece) co_return piece.status();
    if (piece->empty()) break;
    if (!good) {
      if (refusal.size() < kListHeadBytesMax) refusal += *piece;
      continue;
    }
    // Parsing is work of the one who asks; meanwhile the window holds the master back.
    co_await base::switch_to(*home);
    auto fed = reader.feed(*piece);
    co_await base::switch_to(*loop);
    if (!fed.is_ok()) co_return fed;
  }
  if (!good) co_return error_of(stream->status(), refusal);
  co_return reader.finish();
}

base::Task<base::Result<ObjectList>> list_request(std::shared_ptr<MasterLink> link,
                                                  http::Http2Request request) {
  base::Executor& home = *base::Executor::current();
  co_await base::switch_to(link->loop());
  auto opening = MasterLink::open(link, std::move(request));
  auto stream = co_await opening;
  if (!stream) {
    co_await base::switch_to(home);
    co_return stream.status();
  }
  auto reading = read_list(stream->get(), &home, &link->loop());
  auto result = co_await reading;
  stream->reset();
  co_await base::switch_to(home);
  co_return result;
}

// Thread-compatible.
class RemoteStream final : public WatchStream {
 public:
  RemoteStream(std::shared_ptr<WatchSet> set, std::shared_ptr<RemoteWatch> watch,
               base::CancelToken cancel)
      : set_(std::move(set)), watch_(std::move(watch)), cancel_(std::move(cancel)) {}
  ~RemoteStream() override {
    set_->loop().post([set = set_, id = watch_->id] { set->remove(id); });
  }
  base::Task<base::Result<std::vector<WatchEvent>>> next() override {
    return watch_->next(cancel_);
  }

 private:
  std::shared_ptr<WatchSet> set_;
  std::shared_ptr<RemoteWatch> watch_;
  base::CancelToken cancel_;
};

base::Task<base::Result<std::unique_ptr<WatchStream>>> open_watch(std::shared_ptr<WatchSet> set,
                                                                  Resource resource,
                                                                  ListOptions options,
                                                                  std::uint64_t revision,
                                                                  base::CancelToken cancel) {
  base::Executor& home = *base::Executor::current();
  auto& loop = set->loop();
  co_await base::switch_to(loop);
  auto added = set->add(resource, std::move(options), revision);
  base::Status opened = added.status();
  if (added) {
    auto watch = *added;
    auto timer = loop.start_timer(kConnectionWaitMax, [watch] {
      watch->give_up(base::unavailable("no connection to a master"));
    });
    base::CancelCallback on_cancel(
        cancel, [watch] { watch->give_up(base::cancelled("the watch was cancelled")); });
    auto future = watch->opened();
    opened = co_await future;
    loop.cancel_timer(timer);
    if (!opened.is_ok()) set->remove(watch->id);
  }
  co_await base::switch_to(home);
  if (!opened.is_ok()) co_return opened;
  co_return std::unique_ptr<WatchStream>(
      std::make_unique<RemoteStream>(std::move(set), std::move(*added), std::move(cancel)));
}

// Thread-safe.
class UplinkClient final : public Client {
 public:
  UplinkClient(std::shared_ptr<MasterLink> link, std::shared_ptr<WatchSet> watches)
      : link_(std::move(link)), watches_(std::move(watches)) {}

  base::Task<ObjectResult> get(Resource resource, std::string namespace_name,
                               std::string name) override {
    return object_request(link_,
                          request_of("GET", resource_path(resource, namespace_name, name, {})));
  }

  base::Task<base::Result<ObjectList>> list(Resource resource, ListOptions options) override {
    auto target = resource_path(resource, options.namespace_name, {}, {});
    add_selectors(target, options);
    return list_request(link_, request_of("GET", std::move(target)));
  }

  base::Task<base::Result<std::unique_ptr<WatchStream>>> watch(Resource resource,
                                                               ListOptions options,
                                                               std::uint64_t revision,
                                                               base::CancelToken cancel) override {
    return open_watch(watches_, resource, std::move(options), revision, std::move(cancel));
  }

  base::Task<ObjectResult> create(Resource resource, std::string namespace_name, Json object,
                                  std::string subresource, std::string name) override {
    auto target = resource_path(resource, namespace_name, name, subresource);
    return object_request(link_, write_of("POST", std::move(target), object, "application/json"));
  }

  base::Task<ObjectResult> update(Resource resource, Json object,
                                  std::string subresource) override {
    auto target =
        resource_path(resource, api::namespace_of(object), api::name_of(object), subresource);
    return object_request(link_, write_of("PUT", std::move(target), object, "application/json"));
  }

  base::Task<ObjectResult> patch(Resource resource, std::string namespace_name, std::string name,
                                 PatchType type, Json patch, std::string subresource) override {
    auto target = resource_path(resource, namespace_name, name, subresource);
    if (type == PatchType::apply) add_query(target, "force", "true");
    return object_request(
        link_, write_of("PATCH", std::move(target), patch, std::string(patch_content_type(type))));
  }

  base::Task<base::Status> remove(Resource resource, std::string namespace_name, std::string name,
                                  DeleteOptions options) override {
    auto request = request_of("DELETE", resource_path(resource, namespace_name, name, {}));
    request.headers.add("content-type", "application/json");
    request.body = codec::write_json(body_of(options));
    return remove_request(link_, std::move(request));
  }

  // Without a connection a request only waits for one.
  base::Duration retry_wait_max() const override {
    return link_->is_connected() ? kRelistDelayMax : kRelistDelayFreeMax;
  }

 private:
  static base::Task<base::Status> remove_request(std::shared_ptr<MasterLink> link,
                                                 http::Http2Request request) {
    auto exchanging = exchange(std::move(link), std::move(request));
    auto answer = co_await exchanging;
    co_return object_of(answer).status();
  }

  std::shared_ptr<MasterLink> link_;
  std::shared_ptr<WatchSet> watches_;
};

}  // namespace

std::unique_ptr<Client> make_uplink_client(std::shared_ptr<MasterLink> link,
                                           std::shared_ptr<WatchSet> watches) {
  return std::make_unique<UplinkClient>(std::move(link), std::move(watches));
}

}  // namespace skiff::client
