// The sessions that a node opens on its connection. filters/authorize.cpp has let nodes alone here.
#include <skiff/base/strings.h>
#include <skiff/base/version.h>
#include <skiff/client/node_protocol.h>

#include "apiserver/handlers/handlers.h"
#include "apiserver/limits.h"
#include "apiserver/tunnel/tunnels.h"

namespace skiff::apiserver {

namespace {

api::Outcome<> check_protocol(const http::Request& request, std::string_view protocol) {
  const auto asked = request.headers.get(":protocol");
  if (request.method == "CONNECT" && asked == protocol) return api::Done{};
  if (request.method == "CONNECT" && !asked.empty()) {
    return api::bad_request_error(base::concat(
        "this master, ", base::kGitVersion, ", speaks ", protocol, " and not ",
        base::quote(asked.substr(0, kProtocolShownMax)),
        ": the releases of node and master are too far apart; they may differ by one"));
  }
  return api::bad_request_error(base::concat("an extended CONNECT with the protocol ",
                                             base::quote(protocol), " is expected, over HTTP/2"));
}

http::Response session_response(std::string_view protocol, http::SessionTask run) {
  http::Response response;
  response.upgrade = std::make_unique<http::Upgrade>();
  response.upgrade->transport = http::Upgrade::Transport::http2;
  response.upgrade->protocols = {std::string(protocol)};
  response.upgrade->run = std::move(run);
  return response;
}

ResponseOutcome open_control(const RequestContext& context, const std::string& node) {
  const auto& request = context.request;
  SKIFF_CHECK(check_protocol(request, client::kNodeSessionProtocol));
  const auto asked = request.headers.get(client::kNodeNameHeader);
  if (asked != node) {
    return api::forbidden_error(
        "", "nodes", asked,
        base::concat("node ", base::quote(node), " may speak for no node but itself"));
  }
  auto* tunnels = context.services.tunnels.get();
  return session_response(
      client::kNodeSessionProtocol,
      [tunnels, node, peer = request.peer.address](http::ChannelSession& session) {
        return tunnels->serve_node(node, peer, session);
      });
}

ResponseOutcome open_stream(const RequestContext& context, const std::string& node) {
  const auto& request = context.request;
  SKIFF_CHECK(check_protocol(request, client::kStreamSessionProtocol));
  const auto id = std::string_view(context.info.path).substr(client::kStreamSessionPrefix.size());
  auto claim = context.services.tunnels->claim(id, node, request.peer.address);
  if (!claim) {
    api::ApiError error;
    error.code = 404;
    error.reason = api::Reason::not_found;
    error.message = "no stream of this id was asked for on this connection";
    return error;
  }
  return session_response(client::kStreamSessionProtocol,
                          [claim = std::move(claim)](http::ChannelSession& session) mutable {
                            return claim.serve(session);
                          });
}

}  // namespace

base::Task<ResponseOutcome> handle_node_session(RequestContext& context) {
  const std::string node(auth::node_name_of(context.user));
  co_return context.info.path == client::kNodeSessionPath ? open_control(context, node)
                                                          : open_stream(context, node);
}

}  // namespace skiff::apiserver
