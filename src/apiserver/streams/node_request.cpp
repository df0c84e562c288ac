#include "apiserver/streams/node_request.h"

#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include "apiserver/tunnel/tunnels.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

std::string names_of(const Json& containers) {
  std::vector<std::string> names;
  for (const auto& container : containers.items()) {
    names.emplace_back(container["name"].as_string());
  }
  return base::join(names, " ");
}

bool has_container(const Json& spec, std::string_view name) {
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
    for (const auto& container : spec[list].items()) {
      if (container["name"].as_string() == name) return true;
    }
  }
  return false;
}

api::Outcome<std::string> choose_container(const Json& pod, std::string_view name,
                                           std::string_view asked) {
  const Json& spec = pod["spec"];
  if (!asked.empty()) {
    if (has_container(spec, asked)) return std::string(asked);
    return api::bad_request_error(
        base::concat("container ", asked, " is not valid for pod ", name));
  }
  const Json& containers = spec["containers"];
  if (containers.size() == 1) return std::string(containers.item(0)["name"].as_string());
  std::string message = base::concat("a container name must be specified for pod ", name,
                                     ", choose one of: [", names_of(containers), "]");
  if (!spec["initContainers"].empty()) {
    message +=
        base::concat(" or one of the init containers: [", names_of(spec["initContainers"]), "]");
  }
  return api::bad_request_error(message);
}

api::ApiError node_error(const RequestContext& context, const base::Status& status) {
  switch (status.code()) {
    case base::Code::invalid_argument: return api::bad_request_error(status.message());
    case base::Code::not_found: {
      // The node's own sentence, as upstream passes on what the kubelet said.
      api::ApiError error;
      error.code = 404;
      error.reason = api::Reason::not_found;
      error.message = std::string(status.message());
      error.name = context.info.name;
      error.kind = context.info.resource;
      return error;
    }
    case base::Code::unavailable: return api::service_unavailable_error(status.message());
    case base::Code::deadline_exceeded: {
      api::ApiError error;
      error.code = 504;
      error.reason = api::Reason::timeout;
      error.message = std::string(status.message());
      return error;
    }
    default: return api::internal_api_error(status.message());
  }
}

}  // namespace

api::Outcome<PodTarget> find_pod(const RequestContext& context, bool wants_container) {
  const auto& info = context.info;
  auto stored = context.services.reader->get("", "pods", info.namespace_name, info.name);
  if (stored.empty()) return api::not_found_error("", "pods", info.name);
  auto pod = stored.parse();
  if (!pod.is_ok()) return api::internal_api_error(pod.status().message());
  PodTarget target;
  target.pod = std::move(*pod);
  const Json& given = target.pod;
  target.node = given["spec"]["nodeName"].as_string();
  if (wants_container) {
    SKIFF_TRY(target.container, choose_container(given, info.name, context.parameter("container")));
  }
  return target;
}

base::Task<api::Outcome<std::unique_ptr<client::NodeStream>>> open_node_stream(
    RequestContext& context, PodTarget target, client::NodeRequest::Kind kind, Json options) {
  client::NodeRequest request;
  request.kind = kind;
  request.namespace_name = context.info.namespace_name;
  request.pod = api::name_of(target.pod);
  request.pod_uid = api::uid_of(target.pod);
  request.container = std::move(target.container);
  request.options = std::move(options);
  request.cancel = context.request.cancel;
  auto opening = context.services.tunnels->open(std::move(target.node), std::move(request));
  auto stream = co_await std::move(opening);
  if (!stream.is_ok()) co_return node_error(context, stream.status());
  co_return std::move(*stream);
}

api::Outcome<http::Upgrade::Transport> wanted_upgrade(const http::Request& request) {
  auto upgrade = base::to_lower(request.headers.get("Upgrade"));
  if (upgrade.find("websocket") != std::string::npos) return http::Upgrade::Transport::websocket;
  if (upgrade.find("spdy/3.1") != std::string::npos) return http::Upgrade::Transport::spdy;
  return api::bad_request_error("Upgrade request required");
}

}  // namespace skiff::apiserver
