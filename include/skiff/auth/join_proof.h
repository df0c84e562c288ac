// How a board and a master show each other that they know the secret of a join token that names no
// authority, before the board believes whom it speaks to. Every proof holds for one TLS connection
// alone: who stands in the middle has two of them, and can pass on neither.
//
//   key    = HMAC-SHA256(secret, "skiff join key")                   what the cluster keeps
//   board  = HMAC-SHA256(key, "skiff join board" 0 channel)
//   master = HMAC-SHA256(key, "skiff join master" 0 channel sha256(authorities))
//
// `channel` is the binding of RFC 9266, raw bytes. Keys and proofs are lower-case hex. Pure.
#pragma once

#include <skiff/auth/join_token.h>

#include <string>
#include <string_view>

namespace skiff::auth {

std::string join_proof_key(std::string_view secret);
std::string join_proof_of_board(std::string_view key, std::string_view channel);
std::string join_proof_of_master(std::string_view key, std::string_view channel,
                                 std::string_view authorities_pem);
// In constant time.
bool is_same_proof(std::string_view proof, std::string_view wanted);

// A board that shows that it knows the secret.
struct JoinProof {
  std::string token_id, proof;
  std::string channel;  // of the connection that it came on; empty: it has none
};
// `record` is null for a token that is not there. Errors: 403 with what to do; it does not tell
// which of secret, token and connection is wrong.
api::Outcome<> check_join_proof(const JoinProof& proof, const JoinTokenRecord* record,
                                base::WallTime now, const base::AgeOf& age_of = {});

}  // namespace skiff::auth
