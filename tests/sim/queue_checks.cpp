#include "sim/queue_checks.h"

#include <skiff/base/strings.h>
#include <skiff/client/frame_pipe.h>

#include "apiserver/limits.h"
#include "client/limits.h"
#include "http/limits.h"
#include "sim/sim_cluster.h"

namespace skiff::sim {

namespace {

struct Bound {
  std::string_view what;
  std::size_t has, most;
};

// The first that is over.
template <std::size_t count>
std::string find_over(const Bound (&bounds)[count], std::string_view where) {
  for (const auto& bound : bounds)
    if (bound.has > bound.most)
      return base::concat(where, " has ", bound.has, ' ', bound.what, ", at most ", bound.most);
  return {};
}

// A writer waits while there is so much: a piece comes on top.
constexpr std::size_t kPipeBytesMax = client::kStreamQueueBytesMax + client::kNodeFrameBytesMax;
constexpr std::size_t kOutboxBytesMax = http::kHttp2OutboxBytesMax + client::kObjectBytesMax;
constexpr std::size_t kSocketBytesMax = http::kOutputQueueBytesMax + http::kTlsSliceBytes;

std::string check_board(SimBoard& board) {
  if (!board.has_joined()) return {};
  const auto load = board.load();
  std::size_t stream_bytes = 0;
  for (const auto& session : board.streams().sessions)
    stream_bytes = std::max(
        {stream_bytes, session->to_agent.queued_bytes(), session->to_caller.queued_bytes()});
  const Bound bounds[] = {
      {"watches", load.watches, client::kRemoteWatchesMax},
      {"events of a watch that nobody has read", load.unread_events, client::kUnreadEventsMax},
      {"bytes of a watch that nobody has read", load.unread_bytes, client::kUnreadEventBytesMax},
      {"requests", load.requests, client::kRequestsAtOnceMax},
      {"streams on its connection", load.backlog.streams, http::kHttp2StreamsMax},
      {"bytes on their way to its socket", load.backlog.connection_bytes, kSocketBytesMax},
      {"bytes of a stream to its master", load.backlog.stream_bytes, kOutboxBytesMax},
      {"bytes of a stream from its master", stream_bytes, kPipeBytesMax},
  };
  return find_over(bounds, board.name());
}

std::string check_master(SimCluster& cluster) {
  const auto load = cluster.tunnel_load();
  const Bound bounds[] = {
      {"streams to a node", load.streams, apiserver::kStreamsPerNodeMax},
      {"frames for a node", load.queued_frames, apiserver::kControlFramesMax},
      {"bytes of a stream to a node", load.stream_bytes, kPipeBytesMax},
      {"changes in its ring", cluster.changes_kept(), watch::HubOptions().ring_events_max},
  };
  return find_over(bounds, "the master");
}

}  // namespace

std::string find_overfull_queue(SimCluster& cluster) {
  for (auto& board : cluster.boards())
    if (auto found = check_board(*board); !found.empty()) return found;
  return check_master(cluster);
}

}  // namespace skiff::sim
