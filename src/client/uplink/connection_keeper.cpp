#include "client/uplink/connection_keeper.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include "client/limits.h"
#include "client/uplink/plan_reconnect.h"

namespace skiff::client {

namespace {

std::string text_of(const MasterAddress& master) {
  return base::concat(master.host, ":", static_cast<int>(master.port));
}

base::Task<base::Status> wait_closed(base::CancelToken closed, base::CancelToken cancel) {
  base::OneShot<bool> over;
  base::CancelCallback on_closed(closed, [over] { over.set(true); });
  base::CancelCallback on_cancel(cancel, [over] { over.set(false); });
  auto future = over.future();
  bool was_closed = co_await future;
  co_return was_closed ? base::unavailable("the connection has ended")
                       : base::cancelled("the uplink stops");
}

}  // namespace

base::Task<base::Result<std::unique_ptr<http::Http2Connection>>> ConnectionKeeper::connect(
    MasterAddress master, base::CancelToken cancel) {
  http::Http2ConnectOptions options;
  options.host = master.host;
  options.port = master.port;
  options.server_name = kMasterName;
  options.tls = options_.tls;
  options.connect_timeout = kConnectTimeout;
  options.ping_interval = kPingInterval;
  options.ping_timeout = kPingTimeout;
  options.cancel = cancel;
  auto connecting = http::connect_http2(*options_.loop, std::move(options));
  co_return co_await connecting;
}

void ConnectionKeeper::set_established(bool established) {
  if (established_ == established) return;
  established_ = established;
  if (options_.on_change) options_.on_change(established);
}

void ConnectionKeeper::drop() {
  if (auto connection = connection_.lock()) connection->close();
}

// One line for an outage; what every attempt says is for those who look for it.
void ConnectionKeeper::log_failure(const MasterAddress& master, const base::Status& why) {
  if (std::exchange(told_, true)) {
    base::log_debug("master not reached", {{"master", text_of(master)}, {"error", why}});
    return;
  }
  base::log_warning("master not reached, trying on", {{"master", text_of(master)}, {"error", why}});
}

base::Task<base::Status> ConnectionKeeper::use(std::shared_ptr<http::Http2Connection> connection,
                                               std::string where, base::CancelToken cancel) {
  base::TaskScope scope(*options_.loop);
  connection_ = connection;
  link_->connected(connection);
  scope.spawn(carrier_(connection, scope.token()));
  auto established = [this, where] {
    base::log_info("connected to a master", {{"master", where}});
    set_established(true);
  };
  base::Status ended;
  if (options_.node_session) {
    auto session = options_.node_session(*connection, options_.local, established, cancel);
    ended = co_await session;
  } else {
    established();
    auto waiting = wait_closed(connection->closed(), cancel);
    ended = co_await waiting;
  }
  link_->disconnected();
  connection->close();
  scope.cancel();
  auto joining = scope.join();
  co_await joining;
  co_return ended;
}

base::Task<void> ConnectionKeeper::run(base::CancelToken cancel) {
  const auto& clock = options_.loop->clock();
  ReconnectPlan plan(options_.masters.size(), clock.monotonic());
  auto next = plan.first();
  while (!cancel.is_cancelled()) {
    if (next.wait > base::Duration::zero()) {
      bool waited = co_await base::sleep(*options_.loop, next.wait, cancel);
      if (!waited) break;
    }
    const MasterAddress master = options_.masters[next.master];
    auto connecting = connect(master, cancel);
    auto connected = co_await connecting;
    if (cancel.is_cancelled()) break;
    if (!connected) {
      log_failure(master, connected.status());
      next = plan.after_failure(clock.monotonic(), options_.random->unit());
      continue;
    }
    auto since = clock.monotonic();
    auto using_it = use(std::move(*connected), text_of(master), cancel);
    auto ended = co_await using_it;
    if (established_) {
      told_ = false;
      base::log_info("connection to the master ended",
                     {{"master", text_of(master)}, {"error", ended}});
    } else {
      log_failure(master, ended);
    }
    set_established(false);
    if (ended.code() == base::Code::conflict) {
      base::log_warning("another board has this node's identity", {{"error", ended}});
      next = plan.after_displacement(options_.random->unit());
      continue;
    }
    next = plan.after_loss(clock.monotonic(), clock.monotonic() - since, options_.random->unit());
  }
  set_established(false);
  link_->stop();
}

}  // namespace skiff::client
