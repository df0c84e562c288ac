// Whether a token whose signature is good is good now: its time, its audience, its account and what
// it is bound to. Pure.
#pragma once

#include <skiff/auth/auth.h>
#include <skiff/base/clock.h>

#include <string>
#include <string_view>
#include <vector>

#include "auth/tokens/token_content.h"

namespace skiff::auth {

// Those of `wanted` that the token is for; tokens without audiences are for `own`. Errors:
// unauthenticated when there are none.
base::Result<std::vector<std::string>> check_audiences(const TokenContent& content,
                                                       const std::vector<std::string>& wanted,
                                                       const std::vector<std::string>& own);

struct TokenCheck {
  base::Status status;            // unauthenticated in upstream's words
  bool gone = false;              // refused for ever: an object that it needs is not there any more
  std::string unused_secret_uid;  // of the Secret, when its label says that it is not used today
  std::vector<std::string> warnings;  // for the client
};
struct TokenTimes {
  base::WallTime now;
  base::WallTime of_token;  // its beginning and what has really passed since
};
TokenCheck check_bound_token(const TokenContent& content, const ObjectReader& reader,
                             TokenTimes times);
TokenCheck check_legacy_token(const TokenContent& content, std::string_view token,
                              const ObjectReader& reader, base::WallTime now);

// "2006-01-02" in UTC.
std::string day_of(base::WallTime time);

}  // namespace skiff::auth
