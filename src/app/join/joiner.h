// One attempt after the other at the masters.
#pragma once

#include <skiff/auth/join_token.h>

#include "app/join.h"

#include <optional>
#include <string>

namespace skiff::app {

// What this board has to join with.
struct JoinPapers {
  std::string node_name, key_pem, signing_request_pem;
  std::optional<auth::JoinToken> token;
  std::string known_ca_pem;  // of the cluster that it has joined before; empty: of none
};

// Until a master answers or `cancel`; errors are final, as those of ensure_joined(). Writes
// nothing. On the io loop. The references outlive the task.
base::Task<base::Result<JoinedNode>> join_a_master(const Config& config, loop::Loop& loop,
                                                   base::Random& random, JoinPapers papers,
                                                   base::CancelToken cancel);

// Each master once. Errors: unavailable when another time may be better; all others are final.
base::Task<base::Result<JoinedNode>> ask_masters_once(const Config& config, loop::Loop& loop,
                                                      base::Random& random, JoinPapers papers,
                                                      base::CancelToken cancel);

}  // namespace skiff::app
