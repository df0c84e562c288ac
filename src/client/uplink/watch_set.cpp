#include "client/uplink/watch_set.h"

#include "client/limits.h"
#include "client/uplink/plain_watches.h"

namespace skiff::client {

namespace {

base::Task<void> wait_cancelled(base::CancelToken cancel) {
  base::OneShot<bool> cancelled;
  base::CancelCallback on_cancel(cancel, [cancelled] { cancelled.set(true); });
  auto future = cancelled.future();
  (void)co_await future;
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

void WatchSet::remove(std::uint32_t id) {
  if (watches_.erase(id) != 0 && carrier_ != nullptr) carrier_->remove(id);
}

void WatchSet::use(WatchCarrier* carrier) {
  carrier_ = carrier;
  if (carrier_ == nullptr) return;
  for (const auto& [id, watch] : watches_)
    if (!watch->has_ended()) carrier_->add(watch);
}

base::Task<void> WatchSet::carry(std::shared_ptr<http::Http2Connection> connection,
                                 base::CancelToken cancel) {
  PlainWatches plain(loop_, connection);
  use(&plain);
  auto waiting = wait_cancelled(cancel);
  co_await waiting;
  use(nullptr);
  auto ending = plain.end();
  co_await ending;
}

void WatchSet::stop() {
  stopped_ = true;
  for (const auto& [id, watch] : watches_) watch->end(base::cancelled("the uplink has stopped"));
}

}  // namespace skiff::client
