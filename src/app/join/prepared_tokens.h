// Tokens that were made before there was a cluster (`skiff token generate`): files that the master
// takes over at its next start.
//
//   <data-dir>/pki/join-tokens/<id>.json   the record; its time begins when it is taken over
#pragma once

#include <skiff/app/config.h>
#include <skiff/auth/join_token.h>
#include <skiff/base/clock.h>
#include <skiff/client/client.h>

#include <optional>

namespace skiff::app {

// Blocks. `record.expires` is not read.
base::Status write_prepared_token(const Config& config, const auth::JoinTokenRecord& record,
                                  std::optional<base::Duration> ttl);

// Makes a Secret of each and removes the file then. Blocks for the files, of which there are none
// as a rule.
base::Task<base::Status> take_over_prepared_tokens(const Config& config, client::Client& client,
                                                   base::WallTime now);

}  // namespace skiff::app
