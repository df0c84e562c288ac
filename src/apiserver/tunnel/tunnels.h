// The nodes that are connected to this master, and the streams to them: the way of logs, exec,
// attach, port-forward and proxy. The frames are in skiff/client/node_protocol.h.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/client/client.h>
#include <skiff/client/node_channel.h>

#include "apiserver/tunnel/node_link.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace skiff::apiserver {

// What the tunnels need of the server; outlives them.
struct TunnelOptions {
  base::Timers* timers = nullptr;
  base::Random* random = nullptr;
  client::NodeChannel* local = nullptr;  // of the node in this process; null without one
  std::string local_node_name;  // empty: `local` is asked for every node that is not connected
  // A client of the node's own rights, and the uid of its Node object (empty: none yet).
  std::function<std::unique_ptr<client::Client>(const std::string& node)> client_of;
  std::function<std::string(const std::string& node)> uid_of;
};

// Thread-safe; sessions are served on their own loops.
class Tunnels final : public client::NodeChannel {
 public:
  explicit Tunnels(TunnelOptions options) : options_(std::move(options)) {}

  // Errors, beside the node's own: unavailable when the node is not connected or too much is open,
  // deadline_exceeded when it does not open the stream in time, cancelled.
  base::Task<base::Result<std::unique_ptr<client::NodeStream>>> open(
      std::string node, client::NodeRequest request) override;

  // Serves skiff-node-v1 of this node until the session ends or another takes its place.
  base::Task<void> serve_node(std::string node, std::string peer, http::ChannelSession& session);

  // A stream that was asked for and that its node now opens. What is not served is given up.
  class Claim {
   public:
    Claim(NodeLinkPtr link, TunnelStreamPtr stream)
        : link_(std::move(link)), stream_(std::move(stream)) {}
    Claim(Claim&&) noexcept = default;
    Claim& operator=(Claim&&) = delete;
    ~Claim();
    explicit operator bool() const { return stream_ != nullptr; }
    // Serves skiff-stream-v1.
    base::Task<void> serve(http::ChannelSession& session);

   private:
    NodeLinkPtr link_;
    TunnelStreamPtr stream_;
  };
  // Empty unless this connection of this node was asked for a stream of this id.
  Claim claim(std::string_view id, const std::string& node, std::string_view peer);

  // Tells every node that the cluster trusts other authorities.
  void tell_authorities_changed() const;

  void append_metrics(std::string& out) const;
  TunnelLoad load() const;

 private:
  NodeLinkPtr find(const std::string& node) const;
  // Makes it the link of its node; the one before ends.
  void add(const NodeLinkPtr& link);
  void remove(const NodeLinkPtr& link);
  base::Task<void> listen(NodeLinkPtr link, http::ChannelSession& session,
                          std::shared_ptr<base::Notifier> lease_due);
  base::Task<void> keep_lease(std::string node, std::shared_ptr<base::Notifier> due,
                              base::CancelToken cancel);

  const TunnelOptions options_;
  TunnelCounters counters_;
  mutable std::mutex mutex_;
  std::map<std::string, NodeLinkPtr, std::less<>> links_;  // under mutex_
};

}  // namespace skiff::apiserver
