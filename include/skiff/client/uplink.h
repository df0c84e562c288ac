// A worker's way to its masters: one outgoing HTTP/2 connection that carries its API requests,
// every watch, the heartbeat and the streams that a master asks for. Architecture: docs/security.md
// and docs/request-path.md, "Across two machines".
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/executor.h>
#include <skiff/base/random.h>
#include <skiff/base/result.h>
#include <skiff/base/task.h>
#include <skiff/client/client.h>
#include <skiff/client/node_channel.h>
#include <skiff/http/http2.h>
#include <skiff/http/tls.h>
#include <skiff/loop/loop.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::client {

// Masters are known by a name that all their certificates have, whatever their addresses are.
inline constexpr std::string_view kMasterName = "kubernetes";

struct MasterAddress {
  std::string host;
  std::uint16_t port = 6443;
};

// Runs the control session on a connection (node_session.h): calls `on_established` when the master
// has taken it, and returns when it has ended, with why. `connection` outlives the task.
using NodeSessionRunner = std::function<base::Task<base::Status>(
    http::Http2Connection& connection, NodeChannel* local, std::function<void()> on_established,
    base::CancelToken cancel)>;

// The runner of a worker: heartbeats, and the streams that a master asks for. A master that says so
// has `on_authorities_changed` called on the loop: the cluster trusts others than before.
NodeSessionRunner make_node_session(loop::Loop& loop, std::string node_name,
                                    std::function<void()> on_authorities_changed = {});

// The references outlive the uplink.
struct UplinkOptions {
  loop::Loop* loop = nullptr;  // everything runs there
  base::Random* random = nullptr;
  std::string node_name;
  std::vector<MasterAddress> masters;     // tried in turn, with jittered back-off
  std::shared_ptr<http::TlsContext> tls;  // trusts the cluster's CA, has the node's certificate
  // Streams that a master asks for are opened here; set before run().
  NodeChannel* local = nullptr;
  NodeSessionRunner node_session;  // empty: a connection is established without one
  // Called on the loop when a connection is established, and when it has gone.
  std::function<void(bool connected)> on_change;
};

// What waits in an uplink, to be compared with the bounds of its module.
struct UplinkLoad {
  std::size_t watches = 0;
  std::size_t unread_events = 0, unread_bytes = 0;  // of the watch that has most
  std::size_t requests = 0;                         // at work, or waiting for a connection
  http::Http2Backlog backlog;                       // of the connection
};

// Loop-only, except client(), which is thread-safe as every Client.
class Uplink {
 public:
  virtual ~Uplink() = default;
  // Requests wait for a connection for a short while, then fail as unavailable. Watches of all
  // callers share one stream, which carries changes as deltas; they outlast the connection and go
  // on at their revision on the next one. The client must not outlive the uplink; its tasks end
  // before, or soon after, run() has returned.
  virtual Client& client() = 0;
  virtual void set_local(NodeChannel* local) = 0;
  virtual bool is_connected() const = 0;
  virtual UplinkLoad load() const = 0;
  // Gives the connection up for another one: this board has another address, so that nobody hears
  // the old one any more.
  virtual void reconnect() = 0;
  // Keeps the connection until cancelled.
  virtual base::Task<void> run(base::CancelToken cancel) = 0;
};
std::unique_ptr<Uplink> make_uplink(UplinkOptions options);

}  // namespace skiff::client
