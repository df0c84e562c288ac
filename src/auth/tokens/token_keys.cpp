#include "auth/tokens/token_keys.h"

#include <skiff/base/strings.h>

#include "auth/limits.h"

namespace skiff::auth {

base::Result<std::shared_ptr<const TokenKeyRing>> TokenKeyRing::make(const TokenKeys& keys) {
  if (keys.older_keys.size() + 1 > kTokenKeysMax) {
    return base::invalid_argument(
        base::concat("more than ", kTokenKeysMax, " keys for tokens of service accounts"));
  }
  auto ring = std::make_shared<TokenKeyRing>();
  SKIFF_ASSIGN_OR_RETURN(ring->signer_, pki::make_token_signer(keys.signing_key));
  auto add = [&](const std::string& pem) {
    auto verifier = pki::make_token_verifier(pem);
    if (!verifier.is_ok()) return verifier.status();
    if (!ring->has_key((*verifier)->key_id())) ring->verifiers_.push_back(std::move(*verifier));
    return base::Status();
  };
  SKIFF_RETURN_IF_ERROR(add(keys.signing_key));
  for (const auto& pem : keys.older_keys) SKIFF_RETURN_IF_ERROR(add(pem));
  std::vector<std::string> jwks;
  for (const auto& verifier : ring->verifiers_) jwks.push_back(verifier->public_jwk());
  ring->key_set_ = base::concat(R"({"keys":[)", base::join(jwks, ","), "]}");
  return std::shared_ptr<const TokenKeyRing>(std::move(ring));
}

const pki::TokenVerifier* TokenKeyRing::find(std::string_view token) const {
  for (const auto& verifier : verifiers_) {
    if (verifier->is_for(token)) return verifier.get();
  }
  return nullptr;
}

bool TokenKeyRing::has_key(std::string_view key_id) const {
  for (const auto& verifier : verifiers_) {
    if (verifier->key_id() == key_id) return true;
  }
  return false;
}

}  // namespace skiff::auth
