// Keeps the certificates of a running master good: renews what is due or lacks the address of this
// moment, and takes over another authority that a command has written.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/clock.h>
#include <skiff/http/tls.h>

#include "app/master_identity.h"

#include <functional>
#include <memory>
#include <optional>

namespace skiff::app {

// What is new is for new connections; streams end where the trust does. Loop-only: on the io loop.
class CertificateKeeper {
 public:
  // `blocking` reads and writes files; the references outlive the keeper.
  CertificateKeeper(const Config& config, const MasterIdentity& identity, ClusterKeys& keys,
                    base::Timers& timers, base::Executor& blocking);

  // Whose identity and trust follow the files; `on_new_trust` is called after the latter has.
  // REQUIRES: before run().
  void attach(std::shared_ptr<http::TlsContext> tls, std::function<void()> on_new_trust = {}) {
    tls_ = std::move(tls);
    on_new_trust_ = std::move(on_new_trust);
  }
  // Looks at the files now and then, sooner when that failed, until cancelled.
  base::Task<void> run(base::CancelToken cancel);
  // Lets run() look at once.
  void look_soon() { soon_.notify(); }
  // One look: renews what is due, ends the overlap of two authorities when it has been over for
  // some hours, whatever the clock says for a while.
  base::Task<base::Status> look();

 private:
  base::Task<base::Status> take_over(ClusterKeys fresh);
  // Looks at the files when the clock has jumped.
  void watch_clock();

  const Config& config_;
  const MasterIdentity& identity_;
  ClusterKeys& keys_;
  base::Timers& timers_;
  base::Executor& blocking_;
  std::shared_ptr<http::TlsContext> tls_;
  std::function<void()> on_new_trust_;
  base::Notifier soon_;
  std::optional<base::MonotonicTime> overlap_over_since_;
  base::TimerId clock_timer_ = 0;
};

}  // namespace skiff::app
