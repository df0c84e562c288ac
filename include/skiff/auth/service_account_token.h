// Tokens of service accounts: bound to an object, for audiences, with an end; and the older ones
// that stand in Secrets.
#pragma once

#include <skiff/auth/auth.h>
#include <skiff/base/age.h>
#include <skiff/base/clock.h>
#include <skiff/base/random.h>
#include <skiff/base/result.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::auth {

// kubelet asks for tokens of the default volume with just this lifetime. Bound to a pod they are
// good for a year, for clients that never read the file again.
inline constexpr std::int64_t kDefaultVolumeTokenSeconds = 3607;
inline constexpr std::int64_t kExtendedTokenSeconds = 24 * 365 * 60 * 60;

struct TokenRef {    // what the token is bound to; empty kind = nothing
  std::string kind;  // "Pod", "Secret", "Node"
  std::string name, uid;
};

struct TokenClaims {
  std::string namespace_name, service_account, service_account_uid;
  std::vector<std::string> audiences;
  TokenRef bound;
  std::string node_name, node_uid;  // of a bound pod, for information
  std::int64_t expiration_seconds = 3600;
  std::int64_t warn_after_seconds = 0;  // of an extended token; 0 = none
};

struct IssuedToken {
  std::string token;
  base::WallTime expires;
};

// Whom a Secret of type kubernetes.io/service-account-token speaks for.
struct LegacyTokenSubject {
  std::string namespace_name, secret, service_account, service_account_uid;
};

// A Secret whose token is used, and the day ("2006-01-02").
struct LegacyTokenUse {
  std::string namespace_name, secret, secret_uid, day;
};

// Keys as PEM, ECDSA P-256. Tokens of the older ones are still good.
struct TokenKeys {
  std::string signing_key;
  std::vector<std::string> older_keys;  // public
};

struct TokenOptions {
  TokenKeys keys;
  std::string issuer;  // "https://kubernetes.default.svc.cluster.local"
  const base::Clock* clock = nullptr;
  base::Random* random = nullptr;
  const ObjectReader* reader = nullptr;
  base::AgeOf age_of;  // tokens end by what it says; empty: by the clock
  // Called when the token of a Secret is used whose label says another day. On any thread; must not
  // wait.
  std::function<void(LegacyTokenUse use)> on_legacy_use;
};

// Thread-safe. Signatures are verified once; the account and what the token is bound to are looked
// up each time.
class ServiceAccountTokens : public TokenAuthenticator {
 public:
  virtual base::Result<IssuedToken> issue(const TokenClaims& claims) const = 0;
  // Without an end: good as long as its Secret.
  virtual base::Result<std::string> issue_legacy(const LegacyTokenSubject& subject) const = 0;
  // From now on. Errors leave the keys as they are.
  virtual base::Status replace_keys(const TokenKeys& keys) = 0;
  // The public keys as a JSON Web Key Set.
  virtual std::string key_set() const = 0;
  virtual std::string_view issuer() const = 0;
};
base::Result<std::unique_ptr<ServiceAccountTokens>> make_service_account_tokens(
    TokenOptions options);

}  // namespace skiff::auth
