// An API server behind HTTPS on a loop of its own, and nodes that connect to it over loopback.
#pragma once

#include <skiff/base/strings.h>
#include <skiff/http/http2.h>
#include <skiff/http/server.h>

#include "client/uplink/node_session.h"
#include "support/fake_node.h"
#include "support/sim_loop.h"
#include "unit/apiserver/fixture.h"
#include "unit/http/test_server.h"

#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace skiff::test {

class TunnelMaster {
 public:
  explicit TunnelMaster(client::NodeChannel* local = nullptr, std::string local_name = {}) {
    auto pool = loop::make_work_pool({.name = "workers", .threads_max = 2, .keep_threads = true});
    REQUIRE(pool);
    workers_ = std::move(*pool);
    auto made_loop = loop::make_loop("io");
    REQUIRE(made_loop);
    loop_ = std::move(*made_loop);
    store_ = store::make_memory_store(*loop_);
    auto hub = watch::make_hub(*store_, {}, nullptr);
    REQUIRE(hub);
    hub_ = std::move(*hub);
    apiserver::Options options;
    options.workers = workers_.get();
    options.timers = loop_.get();
    options.random = &base::secure_random();
    options.store = store_.get();
    options.hub = hub_.get();
    options.node_channel = local;
    options.local_node_name = std::move(local_name);
    options.service_account_key_pem = *pki::make_private_key();
    options.advertise_address = "192.0.2.1";
    auto api = apiserver::make_apiserver(std::move(options));
    REQUIRE(api);
    api_ = std::move(*api);
    auto identity = ca.issue("server", {});
    auto tls = http::make_tls_server_context(
        {identity.certificate_pem, identity.key_pem, ca.pem, true, {}});
    REQUIRE(tls);
    http::ServerOptions server_options;
    server_options.addresses = {"127.0.0.1"};
    auto server = http::make_server(*loop_, *workers_, api_->handler(), *tls, server_options);
    REQUIRE(server);
    server_ = std::move(*server);
    thread_ = std::thread([this] { loop_->run(); });
  }
  ~TunnelMaster() { stop(); }

  void stop() {
    if (!thread_.joinable()) return;
    base::spawn_detached(*loop_, stop_server(server_.get(), loop_.get()));
    thread_.join();
    server_.reset();
    workers_.reset();
  }
  client::NodeChannel& nodes() { return api_->node_channel(); }
  http::Http2ConnectOptions target(const std::string& common_name,
                                   const std::vector<std::string>& organizations) {
    auto own = ca.issue(common_name, organizations);
    auto tls = http::make_tls_client_context({ca.pem, own.certificate_pem, own.key_pem, false, {}});
    REQUIRE(tls);
    http::Http2ConnectOptions options;
    options.host = "127.0.0.1";
    options.port = server_->port();
    options.server_name = "localhost";
    options.tls = *tls;
    return options;
  }
  http::Http2ConnectOptions target_of(const std::string& node) {
    return target("system:node:" + node, {"system:nodes"});
  }

  http_test::TestCa ca;

 private:
  static base::Task<void> stop_server(http::Server* server, loop::Loop* loop) {
    auto stopping = server->stop(std::chrono::seconds(2));
    co_await std::move(stopping);
    loop->stop();
  }
  std::unique_ptr<loop::WorkPool> workers_;
  std::unique_ptr<loop::Loop> loop_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<watch::Hub> hub_;
  std::unique_ptr<apiserver::ApiServer> api_;
  std::unique_ptr<http::Server> server_;
  std::thread thread_;
};

// A node on the caller's loop: a connection and its session.
struct TunnelNode {
  std::unique_ptr<http::Http2Connection> connection;
  FakeNode channel;
  base::CancelSource cancel;
  base::OneShot<bool> established;
  base::OneShot<base::Status> ended;
};
using TunnelNodePtr = std::shared_ptr<TunnelNode>;

inline base::Task<void> run_session(TunnelNodePtr node, client::NodeSessionOptions options) {
  auto running = client::run_node_session(*node->connection, options, node->cancel.token());
  auto why = co_await std::move(running);
  node->established.set(false);
  node->ended.set(why);
}

// Connects and waits until the master has taken the session, or it has ended.
inline base::Task<TunnelNodePtr> join_master(loop::Loop& loop, http::Http2ConnectOptions target,
                                             std::string name,
                                             base::Duration heartbeat = std::chrono::seconds(30)) {
  auto node = std::make_shared<TunnelNode>();
  auto connecting = http::connect_http2(loop, std::move(target));
  auto connection = co_await std::move(connecting);
  INFO(connection.status().to_string());
  REQUIRE(connection);
  node->connection = std::move(*connection);
  client::NodeSessionOptions options;
  options.loop = &loop;
  options.node_name = std::move(name);
  options.local = &node->channel;
  options.on_established = [node] { node->established.set(true); };
  options.heartbeat_interval = heartbeat;
  base::spawn_detached(loop, run_session(node, options));
  auto future = node->established.future();
  (void)co_await future;
  co_return node;
}

// Ends the session and returns why it ended.
inline base::Task<base::Status> leave(TunnelNodePtr node) {
  node->cancel.cancel();
  auto future = node->ended.future();
  auto why = co_await future;
  co_return why;
}

using TunnelBody = std::function<base::Task<void>(loop::Loop&, TunnelMaster&)>;

inline base::Task<void> run_body(loop::Loop* loop, TunnelMaster* master, TunnelBody body) {
  {
    auto running = body(*loop, *master);
    co_await std::move(running);
  }
  loop->stop();
}

// Runs `body` on a loop for nodes and callers.
inline void with_nodes(TunnelMaster& master, TunnelBody body) {
  auto loop = loop::make_loop("nodes");
  REQUIRE(loop);
  base::spawn_detached(**loop, run_body(loop->get(), &master, std::move(body)));
  (*loop)->run();
}

using Opened = base::Result<std::unique_ptr<client::NodeStream>>;

inline client::NodeRequest request_for(std::string container, base::CancelToken cancel = {}) {
  client::NodeRequest request;
  request.kind = client::NodeRequest::Kind::exec;
  request.namespace_name = "default";
  request.pod = "p";
  request.container = std::move(container);
  request.cancel = std::move(cancel);
  return request;
}

}  // namespace skiff::test
