// One connected node: what is to be told it, and the streams that were asked of it.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/random.h>
#include <skiff/client/frame_pipe.h>
#include <skiff/client/node_protocol.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace skiff::apiserver {

// Counters of all links, for /metrics. Thread-safe.
struct TunnelCounters {
  std::atomic<std::uint64_t> nodes = 0;    // connected now
  std::atomic<std::uint64_t> streams = 0;  // asked for or open now
  std::atomic<std::uint64_t> streams_total = 0, heartbeats_total = 0, replaced_total = 0;
};

// What waits for nodes, to be compared with limits.h.
struct TunnelLoad {
  std::size_t streams = 0, queued_frames = 0;  // of the node that has most
  std::size_t stream_bytes = 0;                // in one direction of the stream that has most
};

// A stream from when it is asked for until its session has ended. Thread-safe.
struct TunnelStream {
  explicit TunnelStream(TunnelCounters& counters) : counters(counters) {
    ++counters.streams;
    ++counters.streams_total;
  }
  ~TunnelStream() { --counters.streams; }
  TunnelStream(const TunnelStream&) = delete;
  TunnelStream& operator=(const TunnelStream&) = delete;

  TunnelCounters& counters;
  std::string id;
  client::StreamSessionPtr session = std::make_shared<client::StreamSession>();
  base::OneShot<base::Status> opened;
};
using TunnelStreamPtr = std::shared_ptr<TunnelStream>;

// Thread-safe.
class NodeLink {
 public:
  // `peer` is the address of the connection.
  NodeLink(std::string node, std::string peer, TunnelCounters& counters);

  const std::string& node() const { return node_; }
  // Frames for the node. Closed at the end of the link.
  base::AsyncQueue<http::ChannelFrame>& outgoing() { return outgoing_; }

  // Asks the node for a stream. Errors: unavailable (the link has ended, or too much is open),
  // too_large.
  base::Result<TunnelStreamPtr> ask(client::NodeRequest request, base::Random& random);
  // The stream that was asked for under this id, once; null for any other id or connection.
  TunnelStreamPtr take(std::string_view id, std::string_view peer);
  // Nobody waits for the stream any more, or its session is over: the node is told where it may
  // still work on it.
  void give_up(const TunnelStreamPtr& stream, bool tell_node);
  // Ends the link: the node is told why, every stream ends as unavailable. The first call counts.
  void end(base::Status why);
  bool is_over() const;
  void add_load(TunnelLoad& all) const;

 private:
  const std::string node_, peer_;
  TunnelCounters& counters_;
  base::AsyncQueue<http::ChannelFrame> outgoing_;
  mutable std::mutex mutex_;
  std::map<std::string, TunnelStreamPtr, std::less<>> asked_;    // under mutex_; not taken yet
  std::map<std::string, TunnelStreamPtr, std::less<>> running_;  // under mutex_
  bool over_ = false;                                            // under mutex_
};
using NodeLinkPtr = std::shared_ptr<NodeLink>;

}  // namespace skiff::apiserver
