#include "app/master_identity.h"

#include <skiff/base/log.h>
#include <skiff/net/address_watch.h>

#include "app/limits.h"

#include <algorithm>
#include <utility>

namespace skiff::app {

void AddressFollower::use(std::string ip) {
  const std::string before = identity_.set_ip(ip);
  if (before == ip) return;
  base::log_info("the master has another address", {{"before", before}, {"now", ip}});
  parts_.renew_certificates();
  changed_.notify();
}

base::Task<void> AddressFollower::look(const Config& config) {
  auto found = find_node_ip(config.node_ip);
  // Between two addresses there may be none, or none that was asked for.
  if (found && *found != kNoNodeAddress) use(std::move(*found));
  co_return;
}

base::Task<void> AddressFollower::watch(const Config& config, loop::Loop& io,
                                        base::CancelToken cancel) {
  std::function<base::Task<void>()> on_change = [this, &config] { return look(config); };
  auto watching = net::watch_addresses(io, std::move(on_change), std::move(cancel));
  auto ended = co_await std::move(watching);
  if (!ended) base::log_warning("the master's address is not followed", {{"error", ended}});
}

base::Task<void> AddressFollower::write(base::CancelToken cancel) {
  for (;;) {
    auto waiting = changed_.wait(cancel);
    bool changed = co_await std::move(waiting);
    if (!changed) co_return;
    for (base::Duration pause = kAddressRetryMin;;
         pause = std::min<base::Duration>(pause * 2, kAddressRetryMax)) {
      auto writing = parts_.write_objects();
      auto written = co_await std::move(writing);
      if (written) break;
      base::log_warning("the master's new address is not written", {{"error", written}});
      auto sleeping = base::sleep(timers_, pause, cancel);
      bool slept = co_await std::move(sleeping);
      if (!slept) co_return;
    }
  }
}

}  // namespace skiff::app
