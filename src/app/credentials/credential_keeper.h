// A node's certificates and its trust while it runs.
#pragma once

#include <skiff/base/async.h>
#include <skiff/base/random.h>
#include <skiff/http/client.h>

#include "app/join.h"

#include <memory>
#include <string>

namespace skiff::app {

// Loop-only. The config and the executor outlive the keeper.
class CredentialKeeper {
 public:
  // `blocking` writes the files. `told` is notified when a master says that the cluster trusts
  // others than before; it outlives the keeper.
  CredentialKeeper(const Config& config, loop::Loop& loop, JoinedNode node,
                   std::shared_ptr<http::TlsContext> tls, base::Executor& blocking,
                   base::Random& random, base::CancelToken cancel, base::Notifier* told = nullptr);

  base::Task<void> run();
  // Renews what is due, and everything when the cluster trusts others than this node does. Comes
  // back by its key when the masters do not take its certificate any more, and by a new token when
  // it does not know theirs.
  base::Task<base::Status> look();
  const JoinedNode& node() const { return node_; }

 private:
  // About so long, or until a master has said that there is something new. False when cancelled.
  base::Task<bool> pause(base::Duration duration);
  base::Duration rest() const;
  // The certificate for masters: this node can say nothing with it.
  bool has_ended() const;
  base::Task<base::Status> renew_what_is_due();
  base::Task<base::Status> renew();
  base::Task<base::Result<JoinedNode>> fetch();
  base::Task<base::Status> take_over(JoinedNode fresh);
  base::Task<base::Result<std::string>> ask(std::string body);

  const Config& config_;
  loop::Loop& loop_;
  JoinedNode node_;
  const std::shared_ptr<http::TlsContext> tls_;
  base::Executor& blocking_;
  base::Random& random_;
  const base::CancelToken cancel_;
  std::unique_ptr<http::AsyncClient> client_;
  base::Notifier own_;
  base::Notifier& wake_;
  bool is_pause_over_ = false;
  const double unit_;        // of the jitter of this node's renewals
  base::Duration behind_{};  // the own clock, of the master's
};

}  // namespace skiff::app
