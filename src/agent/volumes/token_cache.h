// Service account tokens for projected volumes, renewed before they end.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/client/client.h>

#include "agent/volumes/plan_payload.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skiff::agent {

// How long after it was issued a token is asked for again: at 80 % of its life or after a day,
// whichever comes first.
base::Duration token_refresh_age(base::Duration life);

// Tokens age in time that has really passed, whatever the clocks of node and master say. Loop-only.
class TokenCache {
 public:
  TokenCache(client::Client& client, base::Timers& timers) : client_(client), timers_(timers) {}

  struct Tokens {
    std::map<TokenKey, std::string> values;
    std::optional<base::MonotonicTime> refresh_at;  // the earliest; none without tokens
  };
  // Tokens bound to the pod. When renewal fails, one that is still valid is given again and asked
  // for again after kTokenRetry. Errors: the API's, when there is none at all.
  base::Task<base::Result<Tokens>> fetch(codec::Json pod, std::vector<TokenKey> keys);
  void release(const std::string& pod_uid);

 private:
  struct Entry {
    std::string token;
    base::MonotonicTime refresh_at, expires_at;
  };
  base::Task<base::Result<Entry>> request(codec::Json pod, TokenKey key);

  client::Client& client_;
  base::Timers& timers_;
  std::map<std::pair<std::string, TokenKey>, Entry> entries_;
};

}  // namespace skiff::agent
