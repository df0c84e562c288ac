// The proxy subresource of the node itself: what a kubelet serves about its node.
#include <skiff/base/strings.h>

#include "agent/limits.h"
#include "agent/pod/plan_status.h"
#include "agent/streams/local_channel.h"
#include "agent/usage/gather_usage.h"
#include "agent/usage/plan_usage.h"

namespace skiff::agent {

using codec::Json;

namespace {

constexpr std::uint32_t kAnswer = 1;

struct NodeAnswer {
  int status = 200;
  std::string_view type = "application/json";
  std::string body;
};

NodeAnswer plain(int status, std::string body) {
  return {status, "text/plain; charset=utf-8", std::move(body)};
}

// As the API has the pods, with the status that this node knows.
std::string pod_list(const AgentContext& context, const PodManager& pods) {
  Json items = Json::array();
  for (const auto* worker : pods.all()) {
    Json pod = worker->record().pod;
    pod.set("status", plan_pod_status({worker->record(), context.node.node_ip, context.now()}));
    items.push_back(std::move(pod));
  }
  return codec::write_json(Json::object({{"kind", "PodList"},
                                         {"apiVersion", "v1"},
                                         {"metadata", Json::object()},
                                         {"items", std::move(items)}}));
}

base::Task<NodeAnswer> answer_of(const AgentContext& context, const PodManager& pods,
                                 std::string method, std::string path) {
  if (method != "GET" && method != "HEAD") co_return plain(405, "Method Not Allowed\n");
  if (path == "/healthz") co_return plain(200, "ok");
  if (path == "/pods" || path == "/pods/") {
    co_return NodeAnswer{200, "application/json", pod_list(context, pods)};
  }
  const bool is_summary = path == "/stats/summary" || path == "/stats/summary/";
  if (!is_summary && path != "/metrics/resource") co_return plain(404, "404 page not found\n");
  auto gathering = gather_usage(context, pods);
  const auto snapshot = co_await std::move(gathering);
  if (is_summary) {
    co_return NodeAnswer{200, "application/json", codec::write_json(plan_summary(snapshot))};
  }
  co_return NodeAnswer{200, "text/plain; version=0.0.4; charset=utf-8",
                       plan_resource_metrics(snapshot)};
}

std::string head_of(const NodeAnswer& answer) {
  Json type = Json::array({Json("Content-Type"), Json(answer.type)});
  return codec::write_json(
      Json::object({{"status", answer.status}, {"headers", Json::array({std::move(type)})}}));
}

}  // namespace

base::Task<void> LocalChannel::serve_node(std::shared_ptr<Opening> opening) {
  auto session = opening->session;
  opening->opened.set(base::Status());
  // Nothing that is served here has a use for it.
  auto reading = read_request_body(session);
  auto body = co_await std::move(reading);
  session->to_agent.close();
  if (!body) co_return;
  const Json& options = opening->request.options;
  std::string method(options["method"].as_string());
  std::string_view path = options["path"].as_string();
  auto answering = answer_of(context_, pods_, method, std::string(path.substr(0, path.find('?'))));
  auto answer = co_await std::move(answering);
  if (method == "HEAD") answer.body.clear();
  std::string head = head_of(answer);
  auto sent = co_await session->send(kAnswer, std::move(head), answer.body.empty());
  for (std::size_t at = 0; sent.is_ok() && at < answer.body.size(); at += kStreamReadBytes) {
    const bool is_last = at + kStreamReadBytes >= answer.body.size();
    std::string piece = answer.body.substr(at, kStreamReadBytes);
    sent = co_await session->send(kAnswer, std::move(piece), is_last);
  }
}

}  // namespace skiff::agent
