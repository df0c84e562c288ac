#include <skiff/base/log.h>
#include <skiff/loop/work_pool.h>

#include "app/credentials/credential_keeper.h"
#include "app/join.h"

namespace skiff::app {

base::Task<void> keep_credentials(const Config& config, loop::Loop& loop, JoinedNode node,
                                  std::shared_ptr<http::TlsContext> tls, base::Notifier& told,
                                  base::CancelToken cancel) {
  loop::WorkPoolOptions options;
  options.name = "renew";
  options.threads_max = 1;
  auto pool = loop::make_work_pool(options);
  if (!pool) {
    base::log_error("certificates will not be renewed", {{"error", pool.status()}});
    co_return;
  }
  CredentialKeeper keeper(config, loop, std::move(node), std::move(tls), **pool,
                          base::secure_random(), std::move(cancel), &told);
  auto running = keeper.run();
  co_await std::move(running);
}

}  // namespace skiff::app
