#include "apiserver/join/token_cleaner.h"

#include <skiff/auth/join_token.h>
#include <skiff/base/log.h>

#include <algorithm>
#include <set>
#include <string>

#include "apiserver/join/join.h"
#include "apiserver/limits.h"
#include "apiserver/server.h"

namespace skiff::apiserver {

namespace {

struct Look {
  std::set<std::string> over;  // names of Secrets
  // Until the next one is over. One that is made meanwhile is over later: it is kept as long.
  base::Duration rest = kJoinTokenKeptAfterEnd;
};

Look look_at_tokens(const Services& services) {
  Look look;
  const auto now = services.clock().now();
  services.reader->scan(
      "", "secrets", auth::kJoinTokenNamespace, [&](const api::StoredObject& secret) {
        if (api::scan_string(secret.text(), {"type"}) != auth::kJoinTokenSecretType) return true;
        auto tree = secret.parse();
        auto record = tree.is_ok() ? auth::read_join_token_secret(*tree)
                                   : base::Result<auth::JoinTokenRecord>(tree.status());
        if (!record.is_ok()) return true;
        const auto left = auth::rest_of(*record, now, services.age_of());
        if (!left) return true;
        const auto rest = *left + kJoinTokenKeptAfterEnd;
        if (rest.count() <= 0)
          look.over.insert(auth::join_token_secret_name(record->id));
        else
          look.rest = std::min(look.rest, rest);
        return true;
      });
  return look;
}

}  // namespace

base::Task<void> clean_join_tokens(Services& services, base::CancelToken cancel) {
  auto client = make_loopback_client(services, auth::control_user(auth::kNodeJoiner));
  // A clock that is far ahead at the start, and soon set, takes nothing away.
  std::set<std::string> seen;
  base::Duration rest = kJoinTokenPatience;
  for (;;) {
    bool slept = co_await base::sleep(*services.options.timers, rest, cancel);
    if (!slept) co_return;
    auto look = look_at_tokens(services);
    for (const auto& name : seen) {
      if (look.over.erase(name) == 0) continue;
      auto removing =
          client->remove(client::resources::secrets, std::string(auth::kJoinTokenNamespace), name);
      auto removed = co_await std::move(removing);
      if (removed.is_ok())
        base::log_info("removed a join token that had ended", {{"secret", name}});
    }
    seen = std::move(look.over);
    rest = seen.empty() ? look.rest : std::min(look.rest, kJoinTokenPatience);
  }
}

}  // namespace skiff::apiserver
