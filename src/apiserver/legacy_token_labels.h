// Secrets with tokens say on which day these were last used.
#pragma once

#include <skiff/auth/service_account_token.h>
#include <skiff/base/async.h>
#include <skiff/client/client.h>

#include <mutex>
#include <set>
#include <string>

#include "apiserver/limits.h"

namespace skiff::apiserver {

// Thread-safe.
class LegacyTokenLabels {
 public:
  // Remembers to write the label; more than kLegacyTokenUsesMax at a time wait for the next use.
  void note(auth::LegacyTokenUse use);
  // Writes labels through `client` until cancelled.
  base::Task<void> run(client::Client& client, base::CancelToken cancel);

 private:
  void forget(const std::string& secret_uid);

  base::AsyncQueue<auth::LegacyTokenUse> uses_{kLegacyTokenUsesMax};
  std::mutex mutex_;
  std::set<std::string> noted_;  // uids of Secrets that are in the queue
};

}  // namespace skiff::apiserver
