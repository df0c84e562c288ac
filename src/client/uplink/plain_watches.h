// Watches as ordinary requests: one stream each.
#pragma once

#include "client/uplink/watch_set.h"

#include <map>
#include <memory>
#include <string>

namespace skiff::client {

// Loop-only.
class PlainWatches final : public WatchCarrier {
 public:
  PlainWatches(loop::Loop& loop, std::shared_ptr<http::Http2Connection> connection)
      : loop_(loop), connection_(std::move(connection)), scope_(loop) {}
  void add(std::shared_ptr<RemoteWatch> watch) override;
  void remove(std::uint32_t id) override;
  // Destroy it only after this has returned.
  base::Task<void> end();

 private:
  base::Task<void> run(std::shared_ptr<RemoteWatch> watch, base::CancelToken cancel);
  // One request; returns when its stream has ended.
  base::Task<void> follow(std::shared_ptr<RemoteWatch> watch, base::CancelToken cancel);

  loop::Loop& loop_;
  std::shared_ptr<http::Http2Connection> connection_;
  base::TaskScope scope_;
  std::map<std::uint32_t, base::CancelSource> running_;
};

}  // namespace skiff::client
