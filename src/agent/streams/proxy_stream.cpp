// The proxy subresource: one HTTP exchange with a pod of this node.
#include <skiff/base/strings.h>
#include <skiff/http/client.h>

#include "agent/limits.h"
#include "agent/streams/local_channel.h"

namespace skiff::agent {

using codec::Json;

namespace {

constexpr std::uint32_t kRequestBody = 0, kAnswer = 1;

bool wants_upgrade(const http::Headers& headers) { return headers.has("Upgrade"); }

http::ClientRequest make_request(const Json& options, const std::string& address) {
  http::ClientRequest request;
  request.method = options["method"].as_string();
  request.target = options["path"].as_string();
  request.host = address;
  request.port = static_cast<std::uint16_t>(options["port"].as_int());
  request.timeout = kProxyHeadTimeout;
  for (const auto& field : options["headers"].items()) {
    if (field.size() != 2) continue;
    auto name = field.item(0).as_string();
    auto value = field.item(1).as_string();
    if (base::equals_ignore_case(name, "Host")) {
      request.host_header = value;
    } else {
      request.headers.add(std::string(name), std::string(value));
    }
  }
  // A connection that stays would outlive the pod, whose address another pod may get.
  request.headers.set("Connection", wants_upgrade(request.headers) ? "Upgrade" : "close");
  return request;
}

// Both directions end together.
base::Task<void> send_to_pod(SessionPtr session, http::ResponseStream& pod,
                             base::CancelSource over) {
  for (;;) {
    auto frame = co_await session->to_agent.read(over.token());
    if (!frame || !frame->has_value()) break;
    auto written = co_await pod.write(std::move((*frame)->data));
    if (!written.is_ok()) break;
  }
  over.cancel();
}

std::string answer_head(const http::ResponseStream& answer) {
  Json headers = Json::array();
  for (const auto& [name, value] : answer.headers().fields())
    headers.push_back(Json::array({Json(name), Json(value)}));
  return codec::write_json(
      Json::object({{"status", answer.status()}, {"headers", std::move(headers)}}));
}

base::Task<void> fail(SessionPtr session, std::string message) {
  std::string head = codec::write_json(Json::object({{"error", std::move(message)}}));
  co_await session->send(kAnswer, std::move(head), true);
}

}  // namespace

base::Task<base::Result<std::string>> read_request_body(SessionPtr session) {
  std::string body;
  for (;;) {
    auto frame = co_await session->to_agent.read(session->cancel.token());
    if (!frame) co_return frame.status();
    if (!frame->has_value()) co_return base::cancelled("the request broke off");
    auto& value = **frame;
    if (value.channel != kRequestBody) continue;
    if (body.size() + value.data.size() > kProxyBodyBytesMax)
      co_return base::invalid_argument(
          base::concat("the request's body is over ", kProxyBodyBytesMax, " bytes"));
    body += value.data;
    if (value.end) co_return body;
  }
}

base::Task<void> LocalChannel::relay_answer(SessionPtr session,
                                            std::unique_ptr<http::ResponseStream> answer,
                                            base::CancelSource over) {
  base::TaskScope scope(*context_.options.executor);
  const bool is_upgraded = answer->status() == 101;
  if (is_upgraded)
    scope.spawn(send_to_pod(session, *answer, over));
  else
    session->to_agent.close();
  std::string head = answer_head(*answer);
  auto sent = co_await session->send(kAnswer, std::move(head));
  while (sent.is_ok()) {
    auto piece = co_await answer->read();
    // Without its end the caller knows that the answer broke off.
    if (!piece) break;
    const bool end = piece->empty();
    sent = co_await session->send(kAnswer, std::move(*piece), end);
    if (end) break;
  }
  over.cancel();
  co_await scope.join();
}

base::Task<void> LocalChannel::serve_proxy(PodWorker* worker, std::shared_ptr<Opening> opening) {
  auto session = opening->session;
  const Json& options = opening->request.options;
  const std::string address = worker->record().pod_ip;
  std::int64_t port = options["port"].as_int();
  if (context_.options.http == nullptr) {
    opening->opened.set(base::unavailable("this node has no HTTP client"));
    co_return;
  }
  if (port <= 0 || port > 65535) {
    opening->opened.set(base::invalid_argument("a port between 1 and 65535 is required"));
    co_return;
  }
  if (address.empty()) {
    opening->opened.set(base::unavailable(base::concat("error trying to reach service: pod ",
                                                       opening->request.pod, " has no address")));
    co_return;
  }
  http::ClientRequest request = make_request(options, address);
  base::CancelSource over = base::CancelSource::child_of(session->cancel.token());
  request.cancel = over.token();
  if (options["scheme"].as_string() == "https") {
    if (proxy_tls_ == nullptr) {
      // As upstream: what a pod shows is not verified.
      http::TlsClientOptions tls_options;
      tls_options.insecure = true;
      auto made = http::make_tls_client_context(tls_options);
      if (!made) {
        opening->opened.set(made.status());
        co_return;
      }
      proxy_tls_ = std::move(*made);
    }
    request.tls = proxy_tls_;
  }
  opening->opened.set(base::Status());
  auto body = co_await read_request_body(session);
  if (!body) {
    session->to_agent.close();
    std::string why(body.status().message());
    co_await fail(session, std::move(why));
    co_return;
  }
  request.body = std::move(*body);
  auto task = context_.options.http->open(std::move(request));
  auto answer = co_await std::move(task);
  if (!answer) {
    std::string why(answer.status().message());
    co_await fail(session, std::move(why));
    co_return;
  }
  auto relaying = relay_answer(session, std::move(*answer), over);
  co_await std::move(relaying);
}

}  // namespace skiff::agent
