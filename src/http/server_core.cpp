#include "http/server_core.h"

#include <skiff/base/log.h>

#include "http/limits.h"
#include "http/response_text.h"
#include "http/server_connection.h"

#include <algorithm>

namespace skiff::http {

ServerCore::ServerCore(loop::Loop& loop, base::Executor& workers, Handler& handler,
                       std::shared_ptr<TlsContext> tls, ServerOptions options)
    : loop_(loop),
      workers_(workers),
      handler_(handler),
      tls_(std::move(tls)),
      options_(std::move(options)) {}

void ServerCore::start() {
  turn_hook_ = loop_.at_end_of_turn([this] { end_turn(); });
}

void ServerCore::add(std::unique_ptr<loop::Socket> socket, std::string client,
                     std::string address) {
  ++accepted_;
  if (connections_.size() >= options_.connections_max ||
      clients_[client] >= options_.connections_per_client_max) {
    ++rejected_;
    if (clients_[client] == 0) clients_.erase(client);
    return;
  }
  std::unique_ptr<TlsSession> tls;
  if (tls_ != nullptr) {
    auto made = TlsSession::make_server(*tls_);
    if (!made) {
      base::log_warning("connection refused", {{"error", made.status()}});
      return;
    }
    tls = std::move(*made);
  }
  ++clients_[client];
  Peer peer;
  peer.address = std::move(address);
  auto connection =
      std::make_shared<ServerConnection>(shared_from_this(), accepted_, client, std::move(peer));
  connections_.emplace(connection->number(), connection);
  auto status = connection->start(std::move(socket), std::move(tls));
  if (!status.is_ok()) connection->close_now(std::move(status));
}

void ServerCore::remove(ServerConnection& connection, const std::string& client) {
  auto it = clients_.find(client);
  if (it != clients_.end() && --it->second == 0) clients_.erase(it);
  connections_.erase(connection.number());
  note_change();
}

void ServerCore::note_change() {
  if (stopping_) changed_.notify();
}

void ServerCore::dispatch(std::shared_ptr<Answerable> asker, Request request) {
  ++running_handlers_;
  batch_.push_back(Pending{std::move(asker), std::move(request)});
}

void ServerCore::flush_later(std::shared_ptr<ServerConnection> connection) {
  if (turn_hook_) dirty_.push_back(std::move(connection));
}

// Connections hold the core: what the core holds of them has to go.
void ServerCore::shut_down() {
  close_all();
  turn_hook_.reset();
  dirty_.clear();
  batch_.clear();
}

void ServerCore::end_turn() {
  if (!batch_.empty()) hand_over();
  if (dirty_.empty()) return;
  auto keep = shared_from_this();
  auto flushed = std::move(dirty_);
  dirty_.clear();
  std::size_t count = std::min(flushed.size(), kFlushesPerTurn);
  for (std::size_t i = 0; i < count; ++i) flushed[i]->flush();
  if (count < flushed.size()) {
    dirty_.insert(dirty_.begin(),
                  std::make_move_iterator(flushed.begin() + static_cast<long>(count)),
                  std::make_move_iterator(flushed.end()));
  }
  // Whatever is left, or came while flushing, makes another turn.
  if (!dirty_.empty() || !batch_.empty()) loop_.post([] {});
}

void ServerCore::hand_over() {
  auto batch = std::move(batch_);
  batch_.clear();
  // Halves, so that a second worker finds something; small parts, so that none waits behind many.
  std::size_t part_size = std::clamp<std::size_t>((batch.size() + 1) / 2, 1, kRequestsPerHandOver);
  for (std::size_t start = 0; start < batch.size(); start += part_size) {
    std::size_t end = std::min(start + part_size, batch.size());
    std::vector<Pending> part(std::make_move_iterator(batch.begin() + static_cast<long>(start)),
                              std::make_move_iterator(batch.begin() + static_cast<long>(end)));
    workers_.post([core = shared_from_this(), part = std::move(part)]() mutable {
      for (auto& pending : part) run_request(core, std::move(pending));
      // Nothing of a connection may be destroyed here: run_request took it all.
      auto& loop = core->loop();
      loop.post([core = std::move(core)] {});
    });
  }
}

Detached ServerCore::run_request(std::shared_ptr<ServerCore> core, Pending pending) {
  Response response;
  {
    auto task = core->handler_.handle(std::move(pending.request));
    response = co_await task;
  }
  auto& loop = core->loop_;
  auto asker = std::move(pending.asker);
  loop.post(
      [core = std::move(core), asker = std::move(asker), response = std::move(response)]() mutable {
        core->on_answer(asker, std::move(response));
      });
}

void ServerCore::on_answer(const std::shared_ptr<Answerable>& asker, Response response) {
  --running_handlers_;
  asker->on_response(std::move(response));
  note_change();
}

std::string_view ServerCore::date() {
  auto now = loop_.clock().now();
  if (now.unix_seconds() != date_second_) {
    date_second_ = now.unix_seconds();
    date_ = format_http_date(now);
  }
  return date_;
}

bool ServerCore::reserve_body(std::size_t bytes) {
  if (bytes > kArrivingBodiesBytesMax - std::min(arriving_bytes_, kArrivingBodiesBytesMax))
    return false;
  arriving_bytes_ += bytes;
  return true;
}

ServerCounters ServerCore::counters() const {
  ServerCounters counters;
  counters.connections = accepted_;
  counters.requests = requests_;
  counters.rejected = rejected_;
  return counters;
}

bool ServerCore::is_quiet(bool handlers_only) const {
  if (running_handlers_ > 0) return false;
  return handlers_only || std::all_of(connections_.begin(), connections_.end(),
                                      [](const auto& entry) { return entry.second->is_quiet(); });
}

base::Task<void> ServerCore::wait_until_quiet(std::shared_ptr<ServerCore> core,
                                              base::Duration limit, bool handlers_only) {
  base::CancelSource expired;
  base::TimerId timer = core->loop_.start_timer(limit, [expired] { expired.cancel(); });
  while (!core->is_quiet(handlers_only) && !expired.is_cancelled()) {
    auto waiting = core->changed_.wait(expired.token());
    co_await waiting;
  }
  core->loop_.cancel_timer(timer);
}

void ServerCore::close_all() {
  stopping_ = true;
  auto connections = connections_;
  for (auto& [number, connection] : connections)
    connection->close_now(base::cancelled("the server stops"));
}

void ServerCore::end_untrusted() {
  ++trust_changes_;
  auto connections = connections_;
  for (auto& [number, connection] : connections) end_if_untrusted(*connection);
}

bool ServerCore::end_if_untrusted(ServerConnection& connection) {
  if (connection.is_peer_trusted()) return false;
  const auto& peer = connection.peer();
  base::log_info("a connection ended: the CA of its certificate is trusted no more",
                 {{"user", peer.certificate_common_name}, {"address", peer.address}});
  connection.close_now(
      base::Status(base::Code::unauthenticated, "the CA of the certificate is trusted no more"));
  return true;
}

base::Task<void> ServerCore::stop(base::Duration grace) {
  auto self = shared_from_this();
  stopping_ = true;
  auto connections = connections_;
  for (auto& [number, connection] : connections) connection->on_stop();
  connections.clear();
  auto graceful = wait_until_quiet(self, grace, false);
  co_await graceful;
  close_all();
  auto rest = wait_until_quiet(self, kCancelledHandlersTimeout, true);
  co_await rest;
  if (running_handlers_ > 0)
    base::log_error("requests still run after the server stopped", {{"count", running_handlers_}});
  shut_down();
}

}  // namespace skiff::http
