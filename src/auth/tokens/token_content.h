// What a token of a service account says, once its signature is known to be good.
#pragma once

#include <skiff/auth/auth.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::auth {

// Of tokens that stand in Secrets.
inline constexpr std::string_view kLegacyIssuer = "kubernetes/serviceaccount";

struct ObjectClaim {
  std::string name, uid;
};

// Immutable once made.
struct TokenContent {
  std::string key_id;  // of the key that signed it
  std::string issuer, subject, id;
  std::vector<std::string> audiences;
  std::optional<std::int64_t> expiry, not_before, issued_at;  // Unix seconds
  std::string namespace_name;
  ObjectClaim account;
  std::optional<ObjectClaim> pod, secret, node;
  User user;

  bool is_legacy() const { return issuer == kLegacyIssuer; }
};

// The issuer that a token claims to be from, without a look at its signature; nullopt when it is no
// JWT.
std::optional<std::string> claimed_issuer(std::string_view token);

// nullopt when the claims are no object, or one of them is not what it should be.
std::optional<TokenContent> parse_claims(std::string_view claims_json);

}  // namespace skiff::auth
