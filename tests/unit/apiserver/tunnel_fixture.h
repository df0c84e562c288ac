// Nodes that connect to a master over loopback, as their uplinks do.
#pragma once

#include <skiff/http/http2.h>

#include "client/uplink/node_session.h"
#include "support/fake_node.h"
#include "unit/apiserver/cluster_fixture.h"

#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <string>

namespace skiff::test {

// A master that serves, and what it takes to connect to it.
struct TunnelMaster : TestAuthority, TestMaster {
  explicit TunnelMaster(client::NodeChannel* local = nullptr, const std::string& local_name = {})
      : TestMaster(static_cast<const TestAuthority&>(*this), {}, local, local_name) {
    serve();
  }
  http::Http2ConnectOptions target(const std::string& common_name,
                                   const std::string& organization) const {
    http::Http2ConnectOptions options;
    options.host = "127.0.0.1";
    options.port = port();
    options.server_name = "kubernetes";
    options.tls = client_tls(common_name, organization);
    return options;
  }
  http::Http2ConnectOptions target_of(const std::string& node) const {
    return target("system:node:" + node, "system:nodes");
  }
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
