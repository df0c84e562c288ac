#include <skiff/auth/join_token.h>
#include <skiff/base/strings.h>
#include <skiff/pki/token.h>

#include "auth/limits.h"

#include <algorithm>

namespace skiff::auth {

namespace {

api::ApiError refuse_token(std::string_view id, std::string_view why) {
  return api::forbidden_error(
      base::concat("token ", base::quote(id), " ", why,
                   "; make a new one with 'skiff token create' on a master"));
}

bool was_used_by(const JoinTokenRecord& record, const JoinAttempt& attempt) {
  const JoinTokenRecord::Use use{attempt.node_name, attempt.key_sha256};
  return std::find(record.last_uses.begin(), record.last_uses.end(), use) != record.last_uses.end();
}

api::Outcome<JoinVerdict> check_token(const JoinAttempt& attempt, const JoinTokenRecord* record,
                                      base::WallTime now, const base::AgeOf& age_of) {
  // A wrong secret and an unknown id take as long and read the same.
  static const std::string kNoHash(64, '0');
  const std::string& wanted = record != nullptr ? record->secret_sha256 : kNoHash;
  const bool is_right = pki::equal_in_constant_time(pki::sha256_hex(attempt.secret), wanted);
  if (record == nullptr || !is_right)
    return refuse_token(attempt.token_id,
                        "is not known to this cluster: it was deleted, has another secret by now, "
                        "or is of another cluster");
  if (has_ended(*record, now, age_of))
    return refuse_token(attempt.token_id,
                        base::concat("has expired at ", base::format_rfc3339(*record->expires)));
  if (!record->node_name.empty() && record->node_name != attempt.node_name)
    return refuse_token(attempt.token_id,
                        base::concat("is for the node ", base::quote(record->node_name),
                                     " only, not for ", base::quote(attempt.node_name)));
  if (was_used_by(*record, attempt)) return JoinVerdict::repeat;
  if (record->uses_left && *record->uses_left <= 0)
    return refuse_token(attempt.token_id, "is used up");
  return JoinVerdict::spend;
}

api::ApiError name_taken(const JoinAttempt& attempt) {
  return api::already_exists_error(base::concat(
      "the name ", base::quote(attempt.node_name),
      " belongs to another board. If this is another node, give it a name of its own "
      "with --node-name. If it takes that board's place, start it with --replace and a "
      "token of 'skiff token create --node-name ",
      attempt.node_name, "'"));
}

}  // namespace

std::optional<base::Duration> rest_of(const JoinTokenRecord& record, base::WallTime now,
                                      const base::AgeOf& age_of) {
  if (!record.expires) return std::nullopt;
  const bool is_by_age = age_of && record.issued && *record.issued <= *record.expires;
  return is_by_age ? *record.expires - *record.issued - age_of(*record.issued)
                   : *record.expires - now;
}

bool has_ended(const JoinTokenRecord& record, base::WallTime now, const base::AgeOf& age_of) {
  const auto rest = rest_of(record, now, age_of);
  return rest && rest->count() <= 0;
}

api::Outcome<JoinVerdict> plan_join(const JoinAttempt& attempt, const NodeNameState& name,
                                    const JoinTokenRecord* record, base::WallTime now,
                                    const base::AgeOf& age_of) {
  if (name.is_taken && !name.key_sha256.empty() && name.key_sha256 == attempt.key_sha256)
    return JoinVerdict::known;
  if (attempt.token_id.empty())
    return api::forbidden_error(
        base::concat("this board's key is not the one of the node ", base::quote(attempt.node_name),
                     name.is_taken ? "" : ", which is not in the cluster any more",
                     "; give it a token of 'skiff token create' with --token"));
  SKIFF_TRY(auto verdict, check_token(attempt, record, now, age_of));
  if (!name.is_taken) return verdict;
  if (!attempt.replace) return name_taken(attempt);
  if (record->node_name != attempt.node_name)
    return api::forbidden_error(
        base::concat("token ", base::quote(attempt.token_id),
                     " may not replace a node: --replace needs a token of 'skiff token "
                     "create --node-name ",
                     attempt.node_name, "'"));
  return verdict;
}

JoinTokenRecord spend_join_token(JoinTokenRecord record, const JoinAttempt& attempt) {
  if (!record.uses_left) return record;
  *record.uses_left -= 1;
  if (record.last_uses.size() >= kJoinTokenUsesKept)
    record.last_uses.erase(record.last_uses.begin());
  record.last_uses.push_back({attempt.node_name, attempt.key_sha256});
  return record;
}

}  // namespace skiff::auth
