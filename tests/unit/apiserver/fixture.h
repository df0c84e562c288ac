// An API server over a memory store on one simulated loop.
#pragma once

#include <skiff/apiserver/apiserver.h>
#include <skiff/codec/json.h>
#include <skiff/pki/certificate.h>

#include <memory>
#include <string>
#include <vector>

#include "support/sim_loop.h"

namespace skiff::test {

struct Answer {
  int status = 0;
  http::Headers headers;
  std::string body;
  http::StreamTask stream;
  std::unique_ptr<http::Upgrade> upgrade;
  codec::Json json() const {
    auto tree = codec::parse_json(body);
    return tree.is_ok() ? std::move(*tree) : codec::Json();
  }
  std::string message() const { return std::string(json()["message"].as_string()); }
  std::string reason() const { return std::string(json()["reason"].as_string()); }
};

// Collects what a stream writes.
class CollectingWriter final : public http::BodyWriter {
 public:
  base::Task<base::Status> write(std::vector<base::SharedBytes> pieces) override {
    for (const auto& piece : pieces) text += piece.view();
    co_return base::Status();
  }
  base::CancelToken cancel() const override { return source.token(); }
  void abort() override { aborted = true; }
  std::string text;
  bool aborted = false;
  base::CancelSource source;
};

class ApiFixture {
 public:
  explicit ApiFixture(client::NodeChannel* nodes = nullptr, pki::ClusterTrust* trust = nullptr,
                      const watch::HubOptions& hub_options = {}) {
    random_ = base::seeded_random(7);
    store_ = store::make_memory_store(loop);
    auto hub = watch::make_hub(*store_, hub_options, nullptr);
    SKIFF_ASSERT(hub.is_ok());
    hub_ = std::move(*hub);
    apiserver::Options options;
    options.workers = &loop;
    options.timers = &loop;
    options.random = random_.get();
    options.store = store_.get();
    options.hub = hub_.get();
    options.node_channel = nodes;
    options.trust = trust;
    options.server_names = {"master1"};
    auto key = pki::make_private_key();
    SKIFF_ASSERT(key.is_ok());
    options.service_account_key_pem = *key;
    options.advertise_address = [this] { return advertised; };
    auto made = apiserver::make_apiserver(std::move(options));
    SKIFF_ASSERT(made.is_ok());
    server = std::move(*made);
    auto status = loop.run(server->ensure_bootstrap_objects());
    SKIFF_ASSERT(status.is_ok());
  }

  http::Request request(std::string method, std::string target, std::string body = {},
                        std::string type = "application/json") {
    http::Request r;
    r.method = std::move(method);
    r.target = std::move(target);
    if (!body.empty()) r.headers.set("Content-Type", std::move(type));
    r.body = std::move(body);
    r.headers.set("User-Agent", "test/1");
    r.peer.certificate_common_name = user;
    r.peer.certificate_organizations = groups;
    return r;
  }
  Answer send(http::Request r) {
    auto response = loop.run(server->handler().handle(std::move(r)));
    Answer answer;
    answer.status = response.status;
    answer.headers = std::move(response.headers);
    for (const auto& piece : response.body) answer.body += piece.view();
    answer.stream = std::move(response.stream);
    answer.upgrade = std::move(response.upgrade);
    return answer;
  }
  Answer call(std::string method, std::string target, std::string body = {},
              std::string type = "application/json") {
    return send(request(std::move(method), std::move(target), std::move(body), std::move(type)));
  }

  SimLoop loop;
  std::string advertised = "192.0.2.1";
  std::string user = "admin";
  std::vector<std::string> groups = {"system:masters"};
  std::unique_ptr<base::Random> random_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<watch::Hub> hub_;
  std::unique_ptr<apiserver::ApiServer> server;
};

}  // namespace skiff::test
