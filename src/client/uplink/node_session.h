// The control session of a worker on one connection: heartbeats, and the streams that the master
// asks for (logs, exec, attach, port-forward, stats, proxy).
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
};
// Returns when the session has ended, with why: the connection went, the master closed it or does
// not answer heartbeats, or `cancel`. Streams that it carried have ended then.
base::Task<base::Status> run_node_session(http::Http2Connection& connection,
                                          NodeSessionOptions options, base::CancelToken cancel);

}  // namespace skiff::client
