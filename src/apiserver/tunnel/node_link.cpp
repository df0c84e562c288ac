#include "apiserver/tunnel/node_link.h"

#include <skiff/base/strings.h>

#include "apiserver/limits.h"

#include <algorithm>
#include <utility>

namespace skiff::apiserver {

namespace {

std::string make_id(base::Random& random) {
  std::string bytes;
  for (std::size_t i = 0; i < kStreamIdWords; ++i) {
    auto word = random.next();
    bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  return base::to_hex(bytes);
}

void fail(const TunnelStreamPtr& stream, const base::Status& why) {
  stream->opened.set(why);
  stream->session->to_caller.close(why);
  stream->session->to_agent.close();
  stream->session->cancel.cancel();
}

}  // namespace

NodeLink::NodeLink(std::string node, std::string peer, TunnelCounters& counters)
    : node_(std::move(node)),
      peer_(std::move(peer)),
      counters_(counters),
      outgoing_(kControlFramesMax) {}

base::Result<TunnelStreamPtr> NodeLink::ask(client::NodeRequest request, base::Random& random) {
  auto stream = std::make_shared<TunnelStream>(counters_);
  stream->id = make_id(random);
  client::OpenStream open;
  open.id = stream->id;
  open.request = std::move(request);
  SKIFF_ASSIGN_OR_RETURN(auto frame, client::encode_control(std::move(open)));
  std::lock_guard lock(mutex_);
  if (over_)
    return base::unavailable(
        base::concat("node ", base::quote(node_), " is not connected to this master"));
  if (asked_.size() + running_.size() >= kStreamsPerNodeMax ||
      !outgoing_.try_push(std::move(frame)))
    return base::unavailable(
        base::concat("too many streams are open on node ", base::quote(node_)));
  asked_.emplace(stream->id, stream);
  return stream;
}

TunnelStreamPtr NodeLink::take(std::string_view id, std::string_view peer) {
  std::lock_guard lock(mutex_);
  auto found = asked_.find(id);
  if (found == asked_.end() || peer != peer_) return nullptr;
  auto stream = std::move(found->second);
  asked_.erase(found);
  running_.emplace(stream->id, stream);
  return stream;
}

void NodeLink::give_up(const TunnelStreamPtr& stream, bool tell_node) {
  std::lock_guard lock(mutex_);
  bool was_known = asked_.erase(stream->id) + running_.erase(stream->id) > 0;
  if (!was_known || !tell_node || over_) return;
  auto frame = client::encode_control(client::CancelStream{stream->id});
  if (frame) (void)outgoing_.try_push(std::move(*frame));
}

void NodeLink::end(base::Status why) {
  std::map<std::string, TunnelStreamPtr, std::less<>> streams;
  {
    std::lock_guard lock(mutex_);
    if (over_) return;
    over_ = true;
    streams.swap(asked_);
    streams.merge(running_);
    running_.clear();
  }
  auto goodbye = client::encode_control(client::Goodbye{why});
  if (goodbye) (void)outgoing_.try_push(std::move(*goodbye));
  outgoing_.close();
  auto lost = base::unavailable(
      base::concat("the connection to node ", base::quote(node_), " was lost: ", why.message()));
  for (const auto& [id, stream] : streams) fail(stream, lost);
}

void NodeLink::add_load(TunnelLoad& all) const {
  std::lock_guard lock(mutex_);
  all.streams = std::max(all.streams, asked_.size() + running_.size());
  all.queued_frames = std::max(all.queued_frames, outgoing_.size());
  for (const auto* streams : {&asked_, &running_})
    for (const auto& [id, stream] : *streams) {
      const auto& session = *stream->session;
      all.stream_bytes = std::max(
          {all.stream_bytes, session.to_agent.queued_bytes(), session.to_caller.queued_bytes()});
    }
}

bool NodeLink::is_over() const {
  std::lock_guard lock(mutex_);
  return over_;
}

}  // namespace skiff::apiserver
