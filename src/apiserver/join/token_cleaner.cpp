#include "apiserver/join/token_cleaner.h"

#include <skiff/auth/join_token.h>
#include <skiff/base/log.h>

#include <set>

#include "apiserver/join/join.h"
#include "apiserver/limits.h"
#include "apiserver/server.h"

namespace skiff::apiserver {

namespace {

std::set<std::string> find_ended(const Services& services) {
  std::set<std::string> names;
  const auto now = services.clock().now();
  services.reader->scan(
      "", "secrets", auth::kJoinTokenNamespace, [&](const api::StoredObject& secret) {
        if (api::scan_string(secret.text(), {"type"}) != auth::kJoinTokenSecretType) return true;
        auto tree = secret.parse();
        auto record = tree.is_ok() ? auth::read_join_token_secret(*tree)
                                   : base::Result<auth::JoinTokenRecord>(tree.status());
        if (!record.is_ok() || !record->expires) return true;
        *record->expires = *record->expires + kJoinTokenKeptAfterEnd;
        if (auth::has_ended(*record, now, services.age_of()))
          names.insert(auth::join_token_secret_name(record->id));
        return true;
      });
  return names;
}

}  // namespace

base::Task<void> clean_join_tokens(Services& services, base::CancelToken cancel) {
  auto client = make_loopback_client(services, auth::control_user(auth::kNodeJoiner));
  // A clock that jumps ahead for a moment takes nothing away: what goes had ended an hour ago, too.
  std::set<std::string> seen;
  for (;;) {
    bool slept = co_await base::sleep(*services.options.timers, kJoinTokenCleanInterval, cancel);
    if (!slept) co_return;
    auto ended = find_ended(services);
    for (const auto& name : ended) {
      if (!seen.contains(name)) continue;
      auto removing =
          client->remove(client::resources::secrets, std::string(auth::kJoinTokenNamespace), name);
      auto removed = co_await std::move(removing);
      if (removed.is_ok())
        base::log_info("removed a join token that had ended", {{"secret", name}});
    }
    seen = std::move(ended);
  }
}

}  // namespace skiff::apiserver
