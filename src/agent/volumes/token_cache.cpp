#include "agent/volumes/token_cache.h"

#include <skiff/base/strings.h>

#include "agent/limits.h"

#include <algorithm>

namespace skiff::agent {

using codec::Json;

base::Duration token_refresh_age(base::Duration life) {
  return std::min<base::Duration>(life / 10 * 8, kTokenRefreshAgeMax);
}

base::Task<base::Result<TokenCache::Entry>> TokenCache::request(Json pod, TokenKey key) {
  const auto& metadata = pod["metadata"];
  Json reference = Json::object({{"kind", "Pod"},
                                 {"apiVersion", "v1"},
                                 {"name", metadata["name"]},
                                 {"uid", metadata["uid"]}});
  Json spec =
      Json::object({{"expirationSeconds", key.seconds}, {"boundObjectRef", std::move(reference)}});
  Json audiences = Json::array();
  if (!key.audience.empty()) audiences.push_back(key.audience);
  spec.set("audiences", std::move(audiences));
  Json body = Json::object({{"apiVersion", "authentication.k8s.io/v1"},
                            {"kind", "TokenRequest"},
                            {"spec", std::move(spec)}});
  std::string space(metadata["namespace"].as_string());
  auto answer = co_await client_.create(client::resources::service_accounts, space, std::move(body),
                                        "token", key.service_account);
  if (!answer) co_return answer.status().with_context("failed to fetch token");
  Entry entry;
  entry.token = (*answer)["status"]["token"].as_string();
  if (entry.token.empty()) co_return base::internal_error("the API issued an empty token");
  // The master may give less than was asked for.
  const auto seconds = (*answer)["spec"]["expirationSeconds"].as_int(key.seconds);
  const base::Duration life = std::chrono::seconds(std::min<std::int64_t>(seconds, key.seconds));
  const auto now = timers_.clock().monotonic();
  entry.expires_at = now + life;
  entry.refresh_at = now + token_refresh_age(life);
  co_return entry;
}

base::Task<base::Result<TokenCache::Tokens>> TokenCache::fetch(Json pod,
                                                               std::vector<TokenKey> keys) {
  Tokens tokens;
  std::string uid(pod["metadata"]["uid"].as_string());
  for (const auto& key : keys) {
    std::pair<std::string, TokenKey> id(uid, key);
    auto now = timers_.clock().monotonic();
    auto it = entries_.find(id);
    if (it == entries_.end() || it->second.refresh_at <= now) {
      auto fresh = co_await request(pod, key);
      now = timers_.clock().monotonic();
      it = entries_.find(id);
      if (fresh) {
        it = entries_.insert_or_assign(id, std::move(*fresh)).first;
      } else if (it == entries_.end() || it->second.expires_at <= now) {
        co_return fresh.status();
      } else {
        it->second.refresh_at = now + kTokenRetry;
      }
    }
    tokens.values[key] = it->second.token;
    if (!tokens.refresh_at || it->second.refresh_at < *tokens.refresh_at)
      tokens.refresh_at = it->second.refresh_at;
  }
  co_return tokens;
}

void TokenCache::release(const std::string& pod_uid) {
  for (auto it = entries_.begin(); it != entries_.end();)
    it = it->first.first == pod_uid ? entries_.erase(it) : std::next(it);
}

}  // namespace skiff::agent
