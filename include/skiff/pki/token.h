// Signed tokens (JWT, RFC 7519) with ES256 signatures, and random secrets.
#pragma once

#include <skiff/base/result.h>

#include <memory>
#include <string>
#include <string_view>

namespace skiff::pki {

// Signs a JSON text of claims. Thread-safe.
class TokenSigner {
 public:
  virtual ~TokenSigner() = default;
  virtual base::Result<std::string> sign(std::string_view claims_json) const = 0;
  // Of the public key; stands in the token's header as "kid".
  virtual const std::string& key_id() const = 0;
};
base::Result<std::unique_ptr<TokenSigner>> make_token_signer(std::string_view private_key_pem);

// Checks the signature of a token of at most 16 KB and returns its claims as JSON text; what they
// say (times, audience, issuer) is the caller's to check. Thread-safe.
class TokenVerifier {
 public:
  virtual ~TokenVerifier() = default;
  // Errors: unauthenticated.
  virtual base::Result<std::string> verify(std::string_view token) const = 0;
  // Whether the token's header is the one that the signer of this key writes.
  virtual bool is_for(std::string_view token) const = 0;
  virtual const std::string& key_id() const = 0;
  // The public key as a JSON Web Key (RFC 7517).
  virtual const std::string& public_jwk() const = 0;
};
// `public_key_pem` may also be a private key.
base::Result<std::unique_ptr<TokenVerifier>> make_token_verifier(std::string_view public_key_pem);

// Compares in time that does not depend on where the texts differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);
// `bytes` random bytes as lower-case hex.
std::string random_hex(std::size_t bytes);
// sha256, lower-case hex.
std::string sha256_hex(std::string_view bytes);
// HMAC of RFC 2104 with sha256, lower-case hex.
std::string hmac_sha256_hex(std::string_view key, std::string_view message);

}  // namespace skiff::pki
