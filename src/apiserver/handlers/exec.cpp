#include <skiff/base/strings.h>

#include "apiserver/filters/filters.h"
#include "apiserver/handlers/handlers.h"
#include "apiserver/metrics.h"
#include "apiserver/streams/node_request.h"
#include "apiserver/streams/port_relay.h"
#include "apiserver/streams/relay.h"
#include "apiserver/tunnel/tunnels.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

// Of clients other than kubectl; those without a version know no exit code.
constexpr const char* kOlderWebSocketProtocols[] = {"v4.base64.channel.k8s.io", "channel.k8s.io",
                                                    "base64.channel.k8s.io"};

Json stream_options(const RequestContext& context) {
  Json options = Json::object();
  for (std::string_view flag : {"stdin", "stdout", "stderr", "tty"}) {
    if (query_bool(context.query, flag)) options.set(flag, true);
  }
  if (context.info.subresource == "exec") {
    Json command = Json::array();
    for (const auto& [key, value] : context.query) {
      if (key == "command") command.push_back(value);
    }
    options.set("command", std::move(command));
  }
  return options;
}

api::ApiError invalid_options(const RequestContext& context, std::string_view field,
                              std::string detail) {
  api::ApiError error;
  error.code = 422;
  error.reason = api::Reason::invalid;
  error.kind = context.info.subresource == "exec" ? "PodExecOptions" : "PodAttachOptions";
  error.name = context.info.name;
  error.message =
      base::concat(error.kind, " ", base::quote(error.name), " is invalid: ", field, ": ", detail);
  error.causes.push_back({"FieldValueRequired", std::move(detail), std::string(field)});
  return error;
}

api::Outcome<> check_options(const RequestContext& context, const Json& options) {
  const bool any =
      options["stdin"].as_bool() || options["stdout"].as_bool() || options["stderr"].as_bool();
  if (!any) {
    return api::bad_request_error("you must specify at least one of stdin, stdout, stderr");
  }
  if (context.info.subresource == "exec" && options["command"].empty()) {
    return invalid_options(context, "command", "Required value");
  }
  if (options["tty"].as_bool() && options["stderr"].as_bool()) {
    return invalid_options(context, "stderr", "Invalid value: tty and stderr cannot both be true");
  }
  return api::Done{};
}

// The SPDY streams that a client opens for these options, and their channels.
std::vector<std::pair<std::string, std::uint32_t>> stream_types_of(const Json& options) {
  std::vector<std::pair<std::string, std::uint32_t>> types{{"error", 3}};
  if (options["stdin"].as_bool()) types.emplace_back("stdin", 0);
  if (options["stdout"].as_bool()) types.emplace_back("stdout", 1);
  if (options["stderr"].as_bool()) types.emplace_back("stderr", 2);
  if (options["tty"].as_bool()) types.emplace_back("resize", 4);
  return types;
}

// A pod that has ended, or runs nowhere yet, has no process to talk to.
api::Outcome<> check_running(const RequestContext& context, const PodTarget& target) {
  auto phase = std::as_const(target.pod)["status"]["phase"].as_string();
  if (phase == "Succeeded" || phase == "Failed") {
    return api::bad_request_error(
        base::concat("cannot exec into a container in a completed pod; current phase is ", phase));
  }
  if (target.node.empty()) {
    return api::bad_request_error(
        base::concat("pod ", context.info.name, " does not have a host assigned"));
  }
  return api::Done{};
}

http::Response upgrade_response(std::unique_ptr<http::Upgrade> upgrade) {
  http::Response response;
  response.status = 101;
  response.upgrade = std::move(upgrade);
  return response;
}

base::Task<base::Result<std::unique_ptr<client::NodeStream>>> open_port(
    client::NodeChannel& channel, std::string node, client::NodeRequest request,
    std::uint16_t port) {
  request.options = Json::object({{"ports", Json::array({Json(static_cast<int>(port))})}});
  auto opening = channel.open(std::move(node), std::move(request));
  co_return co_await std::move(opening);
}

}  // namespace

base::Task<ResponseOutcome> handle_exec(RequestContext& context) {
  // A WebSocket begins with a GET, but what it starts is created.
  SKIFF_CO_CHECK(authorize_also(context, "create"));
  const bool is_exec = context.info.subresource == "exec";
  auto options = stream_options(context);
  SKIFF_CO_CHECK(check_options(context, options));
  const Json wanted = options;
  SKIFF_CO_TRY(auto target, find_pod(context, true));
  SKIFF_CO_CHECK(check_running(context, target));
  SKIFF_CO_TRY(auto transport, wanted_upgrade(context.request));
  auto opening = open_node_stream(
      context, std::move(target),
      is_exec ? client::NodeRequest::Kind::exec : client::NodeRequest::Kind::attach,
      std::move(options));
  SKIFF_CO_TRY(auto stream, co_await std::move(opening));
  std::shared_ptr<client::NodeStream> node(std::move(stream));
  auto upgrade = std::make_unique<http::Upgrade>();
  upgrade->transport = transport;
  upgrade->protocols = {"v5.channel.k8s.io", "v4.channel.k8s.io"};
  upgrade->stream_types = stream_types_of(wanted);
  const bool is_websocket = transport == http::Upgrade::Transport::websocket;
  if (is_websocket)
    upgrade->protocols.insert(upgrade->protocols.end(), std::begin(kOlderWebSocketProtocols),
                              std::end(kOlderWebSocketProtocols));
  auto* metrics = context.services.metrics.get();
  upgrade->run = [node, is_websocket, metrics](http::ChannelSession& session) {
    metrics->count_stream(is_websocket, session.protocol());
    return relay_channels(node, session);
  };
  co_return upgrade_response(std::move(upgrade));
}

base::Task<ResponseOutcome> handle_port_forward(RequestContext& context) {
  SKIFF_CO_CHECK(authorize_also(context, "create"));
  SKIFF_CO_TRY(auto target, find_pod(context, false));
  SKIFF_CO_CHECK(check_running(context, target));
  auto phase = std::as_const(target.pod)["status"]["phase"].as_string();
  if (phase != "Running") {
    co_return api::bad_request_error(
        base::concat("unable to forward port because pod is not running. Current status=", phase));
  }
  SKIFF_CO_TRY(auto transport, wanted_upgrade(context.request));
  auto* channel = context.services.tunnels.get();
  client::NodeRequest request;
  request.kind = client::NodeRequest::Kind::port_forward;
  request.namespace_name = context.info.namespace_name;
  request.pod = context.info.name;
  request.pod_uid = api::uid_of(target.pod);
  auto upgrade = std::make_unique<http::Upgrade>();
  upgrade->transport = transport;
  upgrade->protocols = {"portforward.k8s.io"};
  OpenPort open = [channel, node = target.node, request](std::uint16_t port) {
    return open_port(*channel, node, request, port);
  };
  const bool is_websocket = transport == http::Upgrade::Transport::websocket;
  auto* metrics = context.services.metrics.get();
  upgrade->run = [open, is_websocket, metrics](http::ChannelSession& session) {
    metrics->count_stream(is_websocket, session.protocol());
    return relay_ports(open, session);
  };
  co_return upgrade_response(std::move(upgrade));
}

}  // namespace skiff::apiserver
