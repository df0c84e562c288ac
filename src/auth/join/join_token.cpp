#include <skiff/auth/join_token.h>
#include <skiff/base/strings.h>
#include <skiff/pki/token.h>

#include "auth/limits.h"

#include <algorithm>

namespace skiff::auth {

namespace {

constexpr std::string_view kVersion = "K10";
constexpr std::size_t kHashDigits = 64;

bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_hash(std::string_view text) {
  return text.size() == kHashDigits && std::all_of(text.begin(), text.end(), is_lower_hex);
}

bool is_id(std::string_view text) {
  return text.size() >= kJoinTokenIdLengthMin && text.size() <= kJoinTokenIdLengthMax &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); });
}

bool is_secret(std::string_view text) {
  return text.size() >= kJoinTokenSecretLengthMin && text.size() <= kJoinTokenSecretLengthMax &&
         std::all_of(text.begin(), text.end(), is_letter_or_digit);
}

base::Status wrong(std::string_view why) {
  return base::invalid_argument(
      base::concat("the token ", why,
                   "; it looks like K10<64 digits>::<id>:<secret>, give it whole, as 'skiff "
                   "token create' printed it"));
}

}  // namespace

base::Result<JoinToken> parse_join_token(std::string_view text) {
  text = base::trim(text);
  if (text.size() > kJoinTokenBytesMax) return wrong("is too long");
  const auto parts = base::split(text, ':');
  JoinToken token;
  if (parts.size() == 2) {
    token = {{}, std::string(parts[0]), std::string(parts[1])};
  } else {
    if (!text.starts_with(kVersion)) return wrong("does not begin with K10");
    if (parts.size() != 4 || !parts[1].empty()) return wrong("does not have all its parts");
    token = {std::string(parts[0].substr(kVersion.size())), std::string(parts[2]),
             std::string(parts[3])};
    if (!is_hash(token.ca_key_sha256))
      return wrong("has a hash that is not 64 lower-case hex digits");
  }
  if (!is_id(token.id)) return wrong("has an id that is none");
  if (!is_secret(token.secret)) return wrong("has a secret that is none");
  return token;
}

std::string format_join_token(const JoinToken& token) {
  if (token.ca_key_sha256.empty()) return base::concat(token.id, ":", token.secret);
  return base::concat(kVersion, token.ca_key_sha256, "::", token.id, ":", token.secret);
}

std::string make_join_secret() { return pki::random_hex(kJoinTokenSecretBytes); }

JoinToken make_join_token(std::string_view ca_key_sha256) {
  return {std::string(ca_key_sha256), pki::random_hex(kJoinTokenIdBytes), make_join_secret()};
}

base::Result<std::string> join_token_id(std::string_view text) {
  text = base::trim(text);
  if (is_id(text)) return std::string(text);
  auto token = parse_join_token(text);
  if (token) return token->id;
  return base::invalid_argument(
      "neither the id of a token, as 'skiff token list' shows it, nor a whole token");
}

}  // namespace skiff::auth
