#include "app/credentials/certificate_keeper.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/loop/work_pool.h>
#include <skiff/sys/files.h>

#include "app/credentials/authority_files.h"
#include "app/credentials/time_floor.h"
#include "app/limits.h"

namespace skiff::app {

namespace {

struct Look {
  ClusterKeys keys;
  bool is_overlap_over = false;
};

// What the files say, after what had to be made anew.
base::Result<Look> look_at_files(const Config& config, const NodeIdentity& identity,
                                 base::WallTime now, bool may_end_overlap) {
  const std::string folder = config.data_dir + "/pki";
  // A command may be rolling the authority at this moment.
  SKIFF_ASSIGN_OR_RETURN(auto lock, lock_authority(folder));
  SKIFF_ASSIGN_OR_RETURN(AuthorityFiles files, ensure_authority(folder, now));
  Look look;
  if (!files.old_pem.empty()) {
    SKIFF_ASSIGN_OR_RETURN(base::WallTime end, end_of_overlap(files));
    look.is_overlap_over = end <= now;
    if (look.is_overlap_over && may_end_overlap) {
      SKIFF_RETURN_IF_ERROR(end_overlap(folder, now));
      look.is_overlap_over = false;
    }
  }
  SKIFF_ASSIGN_OR_RETURN(look.keys, ensure_cluster_keys(config, identity, now));
  return look;
}

}  // namespace

CertificateKeeper::CertificateKeeper(const Config& config, const MasterIdentity& identity,
                                     ClusterKeys& keys, base::Timers& timers,
                                     base::Executor& blocking)
    : config_(config), identity_(identity), keys_(keys), timers_(timers), blocking_(blocking) {}

// What was made while the clock was ahead is good for nobody else.
void CertificateKeeper::watch_clock() {
  const auto wall = timers_.clock().now();
  const auto steady = timers_.clock().monotonic();
  clock_timer_ = timers_.start_timer(kClockLookInterval, [this, wall, steady] {
    const auto& clock = timers_.clock();
    if (!went_evenly(clock.now() - wall, clock.monotonic() - steady)) soon_.notify();
    watch_clock();
  });
}

base::Task<void> CertificateKeeper::run(base::CancelToken cancel) {
  base::Duration rest = kCertificateCheckInterval;
  watch_clock();
  for (;;) {
    auto timer = timers_.start_timer(rest, [this] { soon_.notify(); });
    auto waiting = soon_.wait(cancel);
    bool woken = co_await std::move(waiting);
    timers_.cancel_timer(timer);
    if (!woken) {
      timers_.cancel_timer(clock_timer_);
      co_return;
    }
    auto looking = look();
    auto looked = co_await std::move(looking);
    rest = kCertificateCheckInterval;
    if (looked) continue;
    base::log_error("certificates cannot be renewed", {{"error", looked}});
    rest = kCertificateRetryInterval;
  }
}

base::Task<base::Status> CertificateKeeper::look() {
  const auto steady = timers_.clock().monotonic();
  const bool may_end = overlap_over_since_ && steady - *overlap_over_since_ >= kOverlapPatience;
  auto read = [&config = config_, identity = identity_.get(), now = timers_.clock().now(),
               may_end] { return look_at_files(config, identity, now, may_end); };
  auto reading = loop::run_blocking(blocking_, read);
  auto fresh = co_await std::move(reading);
  if (!fresh) co_return fresh.status();
  if (!fresh->is_overlap_over)
    overlap_over_since_.reset();
  else if (!overlap_over_since_)
    overlap_over_since_ = steady;
  auto taking = take_over(std::move(fresh->keys));
  co_return co_await std::move(taking);
}

// Trust first: a new identity is believed by those who have the new trust or the old.
base::Task<base::Status> CertificateKeeper::take_over(ClusterKeys fresh) {
  const std::string bundle = fresh.trust->bundle_pem();
  const bool is_new_bundle = bundle != keys_.trust->bundle_pem();
  const bool is_new_server = fresh.server.certificate_pem != keys_.server.certificate_pem;
  const bool is_new_admin = fresh.admin.certificate_pem != keys_.admin.certificate_pem;
  if (is_new_bundle) {
    SKIFF_CO_RETURN_IF_ERROR(tls_->replace_trust(bundle));
    keys_.trust->follow(*fresh.trust);
    base::log_info("the authorities of the cluster have changed");
    if (on_new_trust_) on_new_trust_();
  }
  if (is_new_server) {
    SKIFF_CO_RETURN_IF_ERROR(
        tls_->replace_identity(fresh.server.certificate_pem, fresh.server.key_pem));
    keys_.server = fresh.server;
  }
  keys_.admin = fresh.admin;
  if (!is_new_bundle && !is_new_admin) co_return base::Status::ok();
  auto write = [&config = config_, fresh = std::move(fresh)] {
    return write_kubeconfig(config, fresh);
  };
  auto writing = loop::run_blocking(blocking_, std::move(write));
  co_return co_await std::move(writing);
}

}  // namespace skiff::app
