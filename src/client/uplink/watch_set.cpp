#include "client/uplink/watch_set.h"

#include <skiff/base/log.h>
#include <skiff/client/watch_frames.h>

#include "client/limits.h"
#include "client/uplink/answer.h"
#include "client/uplink/plain_watches.h"
#include "client/uplink/session_watches.h"

namespace skiff::client {

namespace {

base::Task<void> wait_cancelled(base::CancelToken cancel) {
  base::OneShot<bool> cancelled;
  base::CancelCallback on_cancel(cancel, [cancelled] { cancelled.set(true); });
  auto future = cancelled.future();
  (void)co_await future;
}

// 403 is also what a release says that has no such path; 401 is about this node.
bool lacks_sessions(const base::Status& refusal) {
  return !is_passing(refusal) && refusal.code() != base::Code::cancelled &&
         refusal.code() != base::Code::unauthenticated;
}

}  // namespace

base::Result<std::shared_ptr<RemoteWatch>> WatchSet::add(Resource resource, ListOptions options,
                                                         std::uint64_t revision) {
  if (stopped_) return base::unavailable("the uplink has stopped");
  if (watches_.size() >= kRemoteWatchesMax)
    return base::Status(base::Code::too_many_requests, "too many watches");
  const auto id = next_id_++;
  auto watch = std::make_shared<RemoteWatch>(id, resource, std::move(options), revision);
  watches_.emplace(id, watch);
  if (carrier_ != nullptr) carrier_->add(watch);
  return watch;
}

void WatchSet::add_load(UplinkLoad& all) const {
  all.watches += watches_.size();
  for (const auto& entry : watches_) entry.second->add_load(all);
}

void WatchSet::remove(std::uint32_t id) {
  if (watches_.erase(id) != 0 && carrier_ != nullptr) carrier_->remove(id);
}

void WatchSet::use(WatchCarrier* carrier) {
  carrier_ = carrier;
  if (carrier_ == nullptr) return;
  for (const auto& [id, watch] : watches_)
    if (!watch->has_ended()) carrier_->add(watch);
}

base::Task<bool> WatchSet::carry_by_session(std::shared_ptr<http::Http2Connection> connection,
                                            base::CancelToken cancel) {
  while (!cancel.is_cancelled()) {
    http::Http2Request request;
    request.target = kWatchTarget;
    request.cancel = cancel;
    request.body_bytes_max = kListHeadBytesMax;
    auto opening = connection->open_session(std::string(kWatchProtocol), std::move(request));
    auto session = co_await opening;
    base::Status ended = session.status();
    if (session) {
      SessionWatches watches(loop_, std::move(*session));
      use(&watches);
      auto running = watches.run(cancel);
      ended = co_await running;
      use(nullptr);
      if (ended.code() == base::Code::unimplemented) co_return true;
    } else if (lacks_sessions(ended)) {
      co_return true;
    }
    (void)co_await base::sleep(loop_, kRewatchWait, cancel);
  }
  co_return false;
}

base::Task<void> WatchSet::carry_plain(std::shared_ptr<http::Http2Connection> connection,
                                       base::CancelToken cancel) {
  PlainWatches plain(loop_, connection);
  use(&plain);
  auto waiting = wait_cancelled(cancel);
  co_await waiting;
  use(nullptr);
  auto ending = plain.end();
  co_await ending;
}

base::Task<void> WatchSet::carry(std::shared_ptr<http::Http2Connection> connection,
                                 base::CancelToken cancel) {
  auto by_session = carry_by_session(connection, cancel);
  bool is_unknown = co_await by_session;
  if (!is_unknown) co_return;
  base::log_info("the master has no stream for all watches, each has its own");
  auto plain = carry_plain(std::move(connection), cancel);
  co_await plain;
}

void WatchSet::stop() {
  stopped_ = true;
  for (const auto& [id, watch] : watches_) watch->end(base::cancelled("the uplink has stopped"));
}

}  // namespace skiff::client
