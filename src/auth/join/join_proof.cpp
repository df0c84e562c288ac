#include <skiff/auth/join_proof.h>
#include <skiff/base/strings.h>
#include <skiff/pki/token.h>

namespace skiff::auth {

namespace {

std::string bound(std::string_view who, std::string_view channel, std::string_view rest = {}) {
  std::string message(who);
  message += '\0';
  message += channel;
  message += rest;
  return message;
}

}  // namespace

std::string join_proof_key(std::string_view secret) {
  return pki::hmac_sha256_hex(secret, "skiff join key");
}

std::string join_proof_of_board(std::string_view key, std::string_view channel) {
  return pki::hmac_sha256_hex(key, bound("skiff join board", channel));
}

std::string join_proof_of_master(std::string_view key, std::string_view channel,
                                 std::string_view authorities_pem) {
  return pki::hmac_sha256_hex(
      key, bound("skiff join master", channel, pki::sha256_hex(authorities_pem)));
}

bool is_same_proof(std::string_view proof, std::string_view wanted) {
  return pki::equal_in_constant_time(proof, wanted);
}

api::Outcome<> check_join_proof(const JoinProof& proof, const JoinTokenRecord* record,
                                base::WallTime now, const base::AgeOf& age_of) {
  // A token that is not there takes as long as a wrong secret.
  static const std::string kNoKey(64, '0');
  const bool may_prove = record != nullptr && !record->proof_key.empty();
  const auto wanted = join_proof_of_board(may_prove ? record->proof_key : kNoKey, proof.channel);
  const bool is_right = is_same_proof(proof.proof, wanted);
  if (!may_prove || !is_right || proof.channel.empty())
    return api::forbidden_error(base::concat(
        "token ", base::quote(proof.token_id),
        " is not proved over this connection: it is not known to this cluster, has another secret, "
        "was not made by 'skiff token create --no-ca-hash' and lacks its first part, or somebody "
        "stands between this board and its master"));
  if (has_ended(*record, now, age_of))
    return api::forbidden_error(
        base::concat("token ", base::quote(proof.token_id), " has expired at ",
                     base::format_rfc3339(*record->expires),
                     "; make a new one with 'skiff token create' on a master"));
  return api::Done{};
}

}  // namespace skiff::auth
