// Tokens of service accounts: bound to an object, for audiences, with an end.
#pragma once

#include <skiff/auth/auth.h>
#include <skiff/base/clock.h>
#include <skiff/base/random.h>
#include <skiff/base/result.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::auth {

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
};

struct IssuedToken {
  std::string token;
  base::WallTime expires;
};

struct TokenOptions {
  std::string key_pem;  // ECDSA P-256 private key
  std::string issuer;   // "https://kubernetes.default.svc.cluster.local"
  const base::Clock* clock = nullptr;
  base::Random* random = nullptr;
  const ObjectReader* reader = nullptr;
};

// Thread-safe.
class ServiceAccountTokens {
 public:
  virtual ~ServiceAccountTokens() = default;
  virtual base::Result<IssuedToken> issue(const TokenClaims& claims) const = 0;
  // Signature, issuer, time, audience, and that the account and the bound object still exist with
  // the same uid. Errors: unauthenticated with the reason (for the log, not for the client).
  virtual base::Result<User> verify(std::string_view token,
                                    const std::vector<std::string>& audiences) const = 0;
  virtual std::string_view issuer() const = 0;
};
base::Result<std::unique_ptr<ServiceAccountTokens>> make_service_account_tokens(
    TokenOptions options);

// Client certificates first, then bearer tokens. `tokens` outlives it.
std::unique_ptr<Authenticator> make_authenticator(const ServiceAccountTokens& tokens);

}  // namespace skiff::auth
