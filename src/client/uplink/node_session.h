// The control session of a node on one connection: heartbeats, and the streams that the master
// asks for (logs, exec, attach, port-forward, proxy).
#pragma once

#include <skiff/base/cancel.h>
#include <skiff/base/clock.h>
#include <skiff/base/task.h>
#include <skiff/client/node_channel.h>
#include <skiff/http/http2.h>

#include <functional>
#include <string>

namespace skiff::client {

// The references outlive the session.
struct NodeSessionOptions {
  loop::Loop* loop = nullptr;
  std::string node_name;
  NodeChannel* local = nullptr;          // opens the streams; null: they are refused as unavailable
  std::function<void()> on_established;  // when the master has taken the session
  std::function<void()> on_authorities_changed;  // when the master says so
  // Below the 40 s of a node's lease, which the master renews with each.
  base::Duration heartbeat_interval = std::chrono::seconds(30);
};
// Returns when the session has ended, with why: the connection went, the master closed it
// (conflict: another connection of this node has taken its place), does not answer heartbeats
// (deadline_exceeded) or refused it, or `cancel`. The connection is closed then, and the streams
// that it carried have ended.
base::Task<base::Status> run_node_session(http::Http2Connection& connection,
                                          NodeSessionOptions options, base::CancelToken cancel);

}  // namespace skiff::client
