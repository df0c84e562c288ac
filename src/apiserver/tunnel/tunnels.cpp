#include "apiserver/tunnel/tunnels.h"

#include <skiff/base/strings.h>

#include "apiserver/limits.h"

#include <utility>

namespace skiff::apiserver {

NodeLinkPtr Tunnels::find(const std::string& node) const {
  std::lock_guard lock(mutex_);
  auto found = links_.find(node);
  return found == links_.end() ? nullptr : found->second;
}

void Tunnels::add(const NodeLinkPtr& link) {
  NodeLinkPtr older;
  {
    std::lock_guard lock(mutex_);
    older = std::exchange(links_[link->node()], link);
    counters_.nodes = links_.size();
  }
  if (older == nullptr) return;
  ++counters_.replaced_total;
  older->end(base::conflict(
      base::concat("another connection of node ", base::quote(link->node()), " takes its place")));
}

void Tunnels::remove(const NodeLinkPtr& link) {
  std::lock_guard lock(mutex_);
  auto found = links_.find(link->node());
  if (found != links_.end() && found->second == link) links_.erase(found);
  counters_.nodes = links_.size();
}

Tunnels::Claim Tunnels::claim(std::string_view id, const std::string& node, std::string_view peer) {
  auto link = find(node);
  if (link == nullptr) return {nullptr, nullptr};
  auto stream = link->take(id, peer);
  return {std::move(link), std::move(stream)};
}

base::Task<base::Result<std::unique_ptr<client::NodeStream>>> Tunnels::open(
    std::string node, client::NodeRequest request) {
  const bool is_local = options_.local != nullptr && node == options_.local_node_name;
  auto link = is_local ? nullptr : find(node);
  if (link == nullptr) {
    const bool asks_local =
        is_local || (options_.local != nullptr && options_.local_node_name.empty());
    if (!asks_local)
      co_return base::unavailable(
          base::concat("node ", base::quote(node), " is not connected to this master"));
    auto opening = options_.local->open(std::move(node), std::move(request));
    auto opened = co_await std::move(opening);
    co_return std::move(opened);
  }
  auto cancel = request.cancel;
  auto asked = link->ask(std::move(request), *options_.random);
  if (!asked) co_return asked.status();
  TunnelStreamPtr stream = std::move(*asked);
  auto late = base::Status(
      base::Code::deadline_exceeded,
      base::concat("node ", base::quote(link->node()), " did not open the stream in time"));
  auto timer = options_.timers->start_timer(
      kNodeStreamOpenTimeout, [stream, late = std::move(late)] { stream->opened.set(late); });
  base::CancelCallback on_cancel(
      cancel, [stream] { stream->opened.set(base::cancelled("the request was cancelled")); });
  auto future = stream->opened.future();
  base::Status status = co_await future;
  options_.timers->cancel_timer(timer);
  if (status.is_ok()) co_return client::make_caller_end(stream->session);
  stream->session->cancel.cancel();
  link->give_up(stream, true);
  co_return status;
}

TunnelLoad Tunnels::load() const {
  TunnelLoad all;
  std::lock_guard lock(mutex_);
  for (const auto& entry : links_) entry.second->add_load(all);
  return all;
}

void Tunnels::append_metrics(std::string& out) const {
  struct Line {
    std::string_view name, help, type;
    std::uint64_t value;
  };
  const Line lines[] = {
      {"skiff_tunnel_connected_nodes", "Nodes that are connected to this master.", "gauge",
       counters_.nodes},
      {"skiff_tunnel_streams", "Streams to connected nodes.", "gauge", counters_.streams},
      {"skiff_tunnel_streams_total", "Streams that connected nodes were asked for.", "counter",
       counters_.streams_total},
      {"skiff_tunnel_heartbeats_total", "Heartbeats of connected nodes.", "counter",
       counters_.heartbeats_total},
      {"skiff_tunnel_replaced_total", "Connections whose place another of the same node took.",
       "counter", counters_.replaced_total},
  };
  for (const auto& line : lines) {
    out += base::concat("# HELP ", line.name, " ", line.help, "\n# TYPE ", line.name, " ",
                        line.type, "\n", line.name, " ", line.value, "\n");
  }
}

}  // namespace skiff::apiserver
