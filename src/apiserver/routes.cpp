#include "apiserver/routes.h"

#include <skiff/client/watch_frames.h>

#include <algorithm>

#include "apiserver/handlers/handlers.h"
#include "apiserver/join/join.h"
#include "apiserver/join/renew.h"
#include "apiserver/tunnel/access.h"
#include "apiserver/tunnel/watch_session.h"

namespace skiff::apiserver {

namespace {

using Handler = base::Task<ResponseOutcome> (*)(RequestContext&);

struct VerbRoute {
  std::string_view verb;
  Handler handler;
};
constexpr VerbRoute kVerbs[] = {
    {"get", handle_get},       {"list", handle_list},
    {"watch", handle_watch},   {"create", handle_create},
    {"update", handle_update}, {"patch", handle_patch},
    {"delete", handle_delete}, {"deletecollection", handle_delete_collection},
};

// Subresources that are not the object seen from another side.
struct ActionRoute {
  std::string_view resource, subresource;
  Handler handler;
};
constexpr ActionRoute kActions[] = {
    {"pods", "binding", handle_binding}, {"pods", "eviction", handle_eviction},
    {"pods", "log", handle_logs},        {"pods", "exec", handle_exec},
    {"pods", "attach", handle_exec},     {"pods", "portforward", handle_port_forward},
    {"pods", "proxy", handle_proxy},     {"services", "proxy", handle_proxy},
    {"nodes", "proxy", handle_proxy},    {"serviceaccounts", "token", handle_token_request},
};

// What nodes and boards ask of a master beside the Kubernetes API.
struct PathRoute {
  std::string_view method, path;
  Handler handler;
};
constexpr PathRoute kPaths[] = {
    {"GET", "/skiff/v1/ca", handle_ca},
    {"POST", "/skiff/v1/ca", handle_prove},
    {"POST", "/skiff/v1/join", handle_join},
    {"POST", "/skiff/v1/renew", handle_renew},
};

Handler find_path_handler(const RequestContext& context) {
  for (const auto& path : kPaths) {
    if (path.method == context.request.method && path.path == context.info.path)
      return path.handler;
  }
  return handle_path;
}

bool has_verb(std::span<const std::string_view> verbs, std::string_view verb) {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

bool is_binding(const RequestInfo& info) {
  return info.resource == "bindings" && info.group.empty();
}

}  // namespace

api::ApiError no_such_path() {
  api::ApiError error;
  error.code = 404;
  error.reason = api::Reason::not_found;
  error.message = "the server could not find the requested resource";
  return error;
}

api::Outcome<> check_route(const RequestContext& context) {
  const auto& info = context.info;
  if (info.type == nullptr) return no_such_path();
  if (!info.subresource.empty() && info.subtype == nullptr) return no_such_path();
  if (info.subtype == nullptr && !info.rest.empty()) return no_such_path();
  const auto verbs = info.subtype != nullptr ? info.subtype->verbs : info.type->verbs;
  const bool no_namespace = info.type->namespaced && info.namespace_name.empty();
  const bool reads_all = info.verb == "list" || info.verb == "watch";
  // A proxy passes OPTIONS on, for which there is no verb.
  const bool passes_on = info.subresource == "proxy" && info.verb == "options";
  if ((!has_verb(verbs, info.verb) && !passes_on) || (no_namespace && !reads_all)) {
    return api::method_not_allowed_error(info.group, info.resource, info.verb);
  }
  const bool names_one = info.verb == "update" || info.verb == "patch" || info.verb == "delete" ||
                         info.verb == "get" || !info.subresource.empty();
  if (names_one && info.name.empty()) {
    return api::method_not_allowed_error(info.group, info.resource, info.verb);
  }
  if (info.verb == "create" && info.subresource.empty() && !info.name.empty()) {
    return api::method_not_allowed_error(info.group, info.resource, info.verb);
  }
  return api::Done{};
}

base::Task<ResponseOutcome> route(RequestContext& context) {
  const auto& info = context.info;
  if (info.path == client::kWatchTarget) {
    auto task = handle_watch_session(context);
    co_return co_await std::move(task);
  }
  if (is_node_session_path(info.path)) {
    auto task = handle_node_session(context);
    co_return co_await std::move(task);
  }
  if (!info.is_resource) {
    auto task = find_path_handler(context)(context);
    co_return co_await std::move(task);
  }
  SKIFF_CO_CHECK(check_route(context));
  Handler handler = nullptr;
  for (const auto& action : kActions) {
    if (!info.group.empty() || action.resource != info.resource) continue;
    if (action.subresource == info.subresource) handler = action.handler;
  }
  if (is_binding(info)) handler = handle_legacy_binding;
  if (find_review(info) != nullptr) handler = handle_review;
  const bool is_view = info.subresource.empty() || info.subresource == "status" ||
                       info.subresource == "scale" || info.subresource == "finalize" ||
                       info.subresource == "ephemeralcontainers" || info.subresource == "resize" ||
                       info.subresource == "approval";
  for (const auto& verb : kVerbs) {
    if (handler == nullptr && is_view && verb.verb == info.verb) handler = verb.handler;
  }
  if (handler == nullptr) {
    co_return api::method_not_allowed_error(info.group, info.resource, info.verb);
  }
  auto task = handler(context);
  co_return co_await std::move(task);
}

}  // namespace skiff::apiserver
