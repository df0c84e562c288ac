// The key that signs tokens, and all that verify them.
#pragma once

#include <skiff/auth/service_account_token.h>
#include <skiff/pki/token.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::auth {

// Immutable.
class TokenKeyRing {
 public:
  // Errors: invalid_argument for what is no key, or for too many.
  static base::Result<std::shared_ptr<const TokenKeyRing>> make(const TokenKeys& keys);

  const pki::TokenSigner& signer() const { return *signer_; }
  // The key whose header the token has; null without.
  const pki::TokenVerifier* find(std::string_view token) const;
  bool has_key(std::string_view key_id) const;
  const std::string& key_set() const { return key_set_; }

 private:
  std::unique_ptr<pki::TokenSigner> signer_;
  std::vector<std::unique_ptr<pki::TokenVerifier>> verifiers_;  // the signer's first
  std::string key_set_;
};

}  // namespace skiff::auth
