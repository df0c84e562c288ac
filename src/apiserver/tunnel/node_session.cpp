// skiff-node-v1 from the master's side.
#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/base/version.h>
#include <skiff/client/node_lease.h>
#include <skiff/http/session_closer.h>

#include "apiserver/limits.h"
#include "apiserver/tunnel/tunnels.h"

#include <utility>

namespace skiff::apiserver {

namespace {

// The node's first message; nullopt when it is none or does not come in time.
base::Task<std::optional<client::Hello>> read_hello(http::ChannelSession& session,
                                                    base::Timers& timers) {
  http::SessionCloser closer(session);
  auto timer = timers.start_timer(kNodeHelloTimeout, closer.function());
  auto reading = session.read();
  auto frame = co_await std::move(reading);
  timers.cancel_timer(timer);
  if (!frame || !*frame) co_return std::nullopt;
  auto message = client::parse_control(**frame);
  if (!message) co_return std::nullopt;
  auto* hello = std::get_if<client::Hello>(&*message);
  if (hello == nullptr) co_return std::nullopt;
  co_return std::move(*hello);
}

client::Hello own_hello() {
  client::Hello hello;
  hello.version = base::kGitVersion;
  hello.features = {std::string(client::kFeatureStreams), std::string(client::kFeatureLease)};
  return hello;
}

// What is to be told the node, until the link ends; then the session ends.
base::Task<void> send_outgoing(NodeLinkPtr link, http::ChannelSession& session) {
  for (;;) {
    auto popping = link->outgoing().pop({});
    auto frame = co_await std::move(popping);
    if (!frame) break;
    auto writing = session.write(std::move(*frame));
    auto written = co_await std::move(writing);
    if (!written.is_ok()) break;
  }
  session.close();
}

void push(NodeLink& link, const client::ControlMessage& message) {
  auto frame = client::encode_control(message);
  SKIFF_ASSERT(frame.is_ok());
  // Full: a node that reads nothing gets no answers either.
  (void)link.outgoing().try_push(std::move(*frame));
}

}  // namespace

void Tunnels::tell_authorities_changed() const {
  std::lock_guard lock(mutex_);
  for (const auto& [node, link] : links_) push(*link, client::AuthoritiesChanged());
}

base::Task<void> Tunnels::listen(NodeLinkPtr link, http::ChannelSession& session,
                                 std::shared_ptr<base::Notifier> lease_due) {
  for (;;) {
    auto reading = session.read();
    auto frame = co_await std::move(reading);
    if (!frame || !*frame) co_return;
    auto message = client::parse_control(**frame);
    if (!message) {
      link->end(message.status().with_context("the node sent what is no message"));
      co_return;
    }
    auto* beat = std::get_if<client::Heartbeat>(&*message);
    if (beat == nullptr) continue;
    ++counters_.heartbeats_total;
    push(*link, client::HeartbeatAnswer{beat->sequence});
    lease_due->notify();
  }
}

base::Task<void> Tunnels::keep_lease(std::string node, std::shared_ptr<base::Notifier> due,
                                     base::CancelToken cancel) {
  auto client = options_.client_of(node);
  while (!cancel.is_cancelled()) {
    auto renewing = client::renew_node_lease(*client, node, options_.uid_of(node),
                                             options_.timers->clock().now());
    auto status = co_await std::move(renewing);
    // A node that joins is connected before it is registered.
    if (!status.is_ok() && status.code() != base::Code::not_found)
      base::log_warning("node lease was not renewed", {{"node", node}, {"error", status}});
    auto pausing = base::sleep(*options_.timers, kLeasePause, cancel);
    (void)co_await std::move(pausing);
    if (!status.is_ok()) continue;
    auto waiting = due->wait(cancel);
    (void)co_await std::move(waiting);
  }
}

base::Task<void> Tunnels::serve_node(std::string node, std::string peer,
                                     http::ChannelSession& session) {
  auto greeting = read_hello(session, *options_.timers);
  auto hello = co_await std::move(greeting);
  if (!hello) {
    session.close();
    co_return;
  }
  auto link = std::make_shared<NodeLink>(node, peer, counters_);
  add(link);
  base::log_info("node connected",
                 {{"node", node}, {"address", peer}, {"version", hello->version}});
  base::TaskScope scope(*base::Executor::current());
  auto lease_due = std::make_shared<base::Notifier>();
  push(*link, own_hello());
  scope.spawn(send_outgoing(link, session));
  scope.spawn(keep_lease(node, lease_due, scope.token()));
  {
    auto listening = listen(link, session, lease_due);
    co_await std::move(listening);
  }
  remove(link);
  link->end(base::unavailable("the session has ended"));
  scope.cancel();
  auto joining = scope.join();
  co_await std::move(joining);
  base::log_info("node disconnected", {{"node", node}, {"address", peer}});
}

}  // namespace skiff::apiserver
