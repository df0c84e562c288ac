// The proxy of pods, services and nodes: an HTTP exchange with a pod by way of its node, or with
// the node itself.
#include <skiff/base/strings.h>

#include "apiserver/handlers/handlers.h"
#include "apiserver/limits.h"
#include "apiserver/streams/html_links.h"
#include "apiserver/streams/plan_proxy.h"
#include "apiserver/streams/proxy_target.h"
#include "apiserver/streams/relay.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

constexpr std::uint32_t kRequestBody = 0, kAnswer = 1;
constexpr int kSwitchingProtocols = 101;

using NodePtr = std::shared_ptr<client::NodeStream>;

api::ApiError unreachable(std::string_view why) {
  return api::service_unavailable_error(base::concat("error trying to reach service: ", why));
}

base::Task<base::Status> send_body(NodePtr node, std::string body) {
  std::size_t at = 0;
  do {
    client::NodeFrame frame;
    frame.channel = kRequestBody;
    frame.data = body.substr(at, kProxyPieceBytes);
    at += frame.data.size();
    frame.end = at == body.size();
    auto writing = node->write(std::move(frame));
    auto status = co_await std::move(writing);
    if (!status.is_ok()) co_return status;
  } while (at < body.size());
  co_return base::Status();
}

struct AnswerHead {
  int status = 0;
  Json headers;
  bool end = false;  // there is no body
};

api::Outcome<AnswerHead> parse_head(const client::NodeFrame& frame, bool may_upgrade) {
  if (frame.data.size() > kProxyHeadBytesMax) return unreachable("the answer's head is too large");
  auto parsed = codec::parse_json(frame.data);
  if (!parsed.is_ok()) return unreachable("the answer's head is malformed");
  const Json& head = *parsed;
  if (!head["error"].as_string().empty()) return unreachable(head["error"].as_string());
  const auto status = head["status"].as_int();
  // Others of 1xx would change what the connection is.
  const bool is_upgrade = status == kSwitchingProtocols && may_upgrade;
  if ((status < 200 && !is_upgrade) || status > 999) {
    return unreachable(base::concat("unexpected HTTP status ", status));
  }
  AnswerHead answer;
  answer.status = static_cast<int>(status);
  answer.headers = head["headers"];
  answer.end = frame.end;
  return answer;
}

base::Task<api::Outcome<AnswerHead>> exchange_head(NodePtr node, std::string body,
                                                   bool may_upgrade) {
  auto sending = send_body(node, std::move(body));
  // A node that takes no body may have said why.
  (void)co_await std::move(sending);
  for (;;) {
    auto reading = node->read();
    auto frame = co_await std::move(reading);
    if (!frame.is_ok()) co_return unreachable(frame.status().message());
    if (!*frame) co_return unreachable("the node ended the stream without an answer");
    if ((**frame).channel == kAnswer) co_return parse_head(**frame, may_upgrade);
  }
}

// `links`: those of a page are made to fit; null for other bodies.
base::Task<void> relay_body(NodePtr node, std::shared_ptr<HtmlLinks> links,
                            http::BodyWriter& writer) {
  base::CancelCallback on_gone(writer.cancel(), [node] { node->close(); });
  bool whole = false;
  while (!whole) {
    auto reading = node->read();
    auto frame = co_await std::move(reading);
    if (!frame.is_ok() || !*frame) break;
    client::NodeFrame& got = **frame;
    if (got.channel != kAnswer) continue;
    if (links) got.data = links->rewrite(got.data, got.end);
    if (!got.data.empty()) {
      std::vector<base::SharedBytes> pieces;
      pieces.emplace_back(std::string_view(got.data));
      auto writing = writer.write(std::move(pieces));
      auto status = co_await std::move(writing);
      if (!status.is_ok()) break;
    }
    whole = got.end;
  }
  if (!whole) writer.abort();
  node->close();
}

http::Response redirect_to_root(const ProxyPath& path) {
  http::Response response;
  response.status = 301;
  std::string location = base::concat(path.base, "/");
  if (!path.query.empty()) location += base::concat("?", path.query);
  response.headers.set("Location", std::move(location));
  return response;
}

ProxyLinks links_of(const http::Request& request, const ProxyPath& path,
                    const ProxyTarget& target) {
  ProxyLinks links{path.base, std::string(request.headers.get("Host")), {}};
  const std::string ip(std::as_const(target.pod.pod)["status"]["podIP"].as_string());
  if (!ip.empty()) links.hosts = {ip, base::concat(ip, ":", target.port)};
  return links;
}

// Upstream changes links of what says that it is HTML, where it can read it.
std::shared_ptr<HtmlLinks> page_links(const http::Headers& answer, const ProxyLinks& links) {
  auto type = answer.get("Content-Type");
  type = base::trim(type.substr(0, type.find(';')));
  if (type != "text/html" || !answer.get("Content-Encoding").empty()) return nullptr;
  return std::make_shared<HtmlLinks>(links);
}

std::unique_ptr<http::Upgrade> raw_upgrade(NodePtr node) {
  auto upgrade = std::make_unique<http::Upgrade>();
  upgrade->transport = http::Upgrade::Transport::raw;
  upgrade->run = [node](http::ChannelSession& session) { return relay_channels(node, session); };
  return upgrade;
}

Json node_options(const http::Request& request, const ProxyPath& path, const ProxyTarget& target) {
  std::string wanted = path.rest.empty() ? "/" : path.rest;
  if (!path.query.empty()) wanted += base::concat("?", path.query);
  return Json::object({{"method", request.method},
                       {"path", std::move(wanted)},
                       {"headers", forwarded_headers(request, path)},
                       {"port", static_cast<int>(target.port)},
                       {"scheme", target.scheme}});
}

}  // namespace

base::Task<ResponseOutcome> handle_proxy(RequestContext& context) {
  auto& request = context.request;
  SKIFF_CO_TRY(auto path, split_proxy_path(request, context.info.type->namespaced));
  SKIFF_CO_TRY(auto target, find_proxy_target(context));
  const bool reads = request.method == "GET" || request.method == "HEAD";
  // Relative links of a root page need the slash.
  if (path.rest.empty() && reads) co_return redirect_to_root(path);
  auto options = node_options(request, path, target);
  const ProxyLinks links = links_of(request, path, target);
  auto opening = open_node_stream(context, std::move(target.pod), target.kind, std::move(options));
  SKIFF_CO_TRY(auto stream, co_await std::move(opening));
  NodePtr node(std::move(stream));
  base::CancelCallback on_gone(request.cancel, [node] { node->close(); });
  auto exchanging = exchange_head(node, std::move(request.body), wants_upgrade(request));
  auto head = co_await std::move(exchanging);
  on_gone.reset();
  SKIFF_CO_TRY(auto answer, std::move(head));
  http::Response response;
  response.status = answer.status;
  response.headers = answered_headers(answer.status, answer.headers, links);
  if (answer.status == kSwitchingProtocols) {
    response.upgrade = raw_upgrade(node);
  } else if (!answer.end) {
    response.stream = [node, page = page_links(response.headers, links)](http::BodyWriter& writer) {
      return relay_body(node, page, writer);
    };
  }
  co_return response;
}

}  // namespace skiff::apiserver
