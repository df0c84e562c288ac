// The keys of tokens of ServiceAccounts, and how they change.
//
//   <data-dir>/pki/service-account.key             signs tokens
//                  service-account-old-<id>.pub    did so before; its tokens are still good
//
// A token may have no end (those in Secrets), so an old key stays until somebody deletes its file.
#pragma once

#include <skiff/auth/service_account_token.h>
#include <skiff/base/result.h>
#include <skiff/base/task.h>
#include <skiff/loop/loop.h>

#include <string>
#include <vector>

namespace skiff::app {

// All keys in the folder `pki`. Errors: not_found without one that signs. Blocks.
base::Result<auth::TokenKeys> read_service_account_keys(const std::string& folder);
// The public keys that signed before. Blocks.
base::Result<std::vector<std::string>> read_older_service_account_keys(const std::string& folder);

struct RotatedKey {
  std::string id;              // of the key that signs from now on
  std::size_t older_keys = 0;  // that are still good
};
// Makes a new key, the one before it becomes an older one. A power cut leaves the old or the new
// key. Errors: too_many_requests when too many older ones are kept. Blocks.
base::Result<RotatedKey> rotate_service_account_key(const std::string& folder);

// Gives `tokens` the keys whenever their files change, until cancelled. On the io loop; files are
// read on `blocking`.
base::Task<void> follow_service_account_keys(std::string folder, loop::Loop& loop,
                                             base::Executor& blocking,
                                             auth::ServiceAccountTokens& tokens,
                                             base::CancelToken cancel);

}  // namespace skiff::app
