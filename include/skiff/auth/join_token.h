// Tokens with which a board joins the cluster: their text, what the cluster keeps of them, and
// whether one lets a board in.
//
//   K10<sha256 of the CA's public key>::<id>:<secret>
//
// The hash lets a board tell the cluster's master from a stranger before it says anything; the
// secret lets the master tell the board from a stranger. The cluster keeps a hash of the secret.
// A token that names no authority is "<id>:<secret>"; see join_proof.h.
#pragma once

#include <skiff/api/outcome.h>
#include <skiff/base/age.h>
#include <skiff/base/clock.h>
#include <skiff/base/result.h>
#include <skiff/codec/json.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::auth {

struct JoinToken {
  std::string ca_key_sha256;  // lower-case hex; empty: it names no authority
  std::string id, secret;
};
// Any text gives an answer. Errors: invalid_argument with what is wrong and never the secret.
base::Result<JoinToken> parse_join_token(std::string_view text);
std::string format_join_token(const JoinToken& token);
// With a random id and secret.
JoinToken make_join_token(std::string_view ca_key_sha256);
// A new secret under the same id.
std::string make_join_secret();
// The id in "<id>" or a whole token. Errors: invalid_argument.
base::Result<std::string> join_token_id(std::string_view text);

// What the cluster keeps of a token, in a Secret of kube-system.
struct JoinTokenRecord {
  struct Use {
    std::string node_name, key_sha256;
    bool operator==(const Use&) const = default;
  };
  std::string id, secret_sha256;
  std::string proof_key;  // of a token that names no authority; empty: it must name one
  std::optional<base::WallTime> issued;   // when this secret and end were made
  std::optional<base::WallTime> expires;  // none: never
  std::optional<std::int64_t> uses_left;  // none: as often as one likes
  std::string node_name;                  // empty: for any name
  std::string description;
  std::vector<Use> last_uses;  // of a token with counted uses, the newest last
};
inline constexpr std::string_view kJoinTokenSecretType = "skiff.dev/join-token";
inline constexpr std::string_view kJoinTokenNamespace = "kube-system";
std::string join_token_secret_name(std::string_view id);
// Puts the record into a Secret; `live` is the one that is there, or null.
codec::Json join_token_secret(const JoinTokenRecord& record, codec::Json live = {});
// Errors: invalid_argument for what is no such Secret.
base::Result<JoinTokenRecord> read_join_token_secret(const codec::Json& secret);

// How long it has yet: what is left of the time between `issued` and `expires`, in time that really
// passes; zero or less when it has ended, nullopt for ever. An empty `age_of` and a token without
// `issued` go by the clock.
std::optional<base::Duration> rest_of(const JoinTokenRecord& record, base::WallTime now,
                                      const base::AgeOf& age_of);
bool has_ended(const JoinTokenRecord& record, base::WallTime now, const base::AgeOf& age_of);

// A board that asks to be let in.
struct JoinAttempt {
  std::string node_name;
  std::string key_sha256;  // of the key that it has proved to hold
  std::string token_id, secret;
  bool replace = false;
};
// What the cluster knows of the name that it asks for.
struct NodeNameState {
  bool is_taken = false;
  std::string key_sha256;  // of the node that has it; empty: not known
};
enum class JoinVerdict : unsigned char {
  known,   // the name is that key's already: nothing is spent
  spend,   // one use of the token
  repeat,  // the token has counted this name and key before
};
// `record` is null for a token that is not there. Errors: 403 for the token, 409 for the name; a
// sentence with what to do.
api::Outcome<JoinVerdict> plan_join(const JoinAttempt& attempt, const NodeNameState& name,
                                    const JoinTokenRecord* record, base::WallTime now,
                                    const base::AgeOf& age_of = {});
// The record after one use.
JoinTokenRecord spend_join_token(JoinTokenRecord record, const JoinAttempt& attempt);

// As whom the master keeps tokens and makes Nodes for boards that join.
inline constexpr std::string_view kNodeJoiner = "system:node-joiner";
// On the Node: sha256 of the public key that may be this node.
inline constexpr std::string_view kNodeKeyAnnotation = "skiff.dev/public-key-sha256";

}  // namespace skiff::auth
