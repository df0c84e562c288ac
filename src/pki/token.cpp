#include <skiff/pki/token.h>

#include <skiff/base/strings.h>

#include "pki/base64url.h"
#include "pki/limits.h"
#include "pki/openssl.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace skiff::pki {

namespace {

// Half of an ES256 signature: r and s stand as 32 bytes each (RFC 7518, section 3.4).
constexpr int kHalfBytes = 32;

using Signature = std::unique_ptr<ECDSA_SIG, OpensslFree<ECDSA_SIG, ECDSA_SIG_free>>;

std::string sha256(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return std::string(reinterpret_cast<char*>(digest), size);
}

base::Result<std::string> key_id_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return openssl_status(base::Code::internal, "read a public key");
  std::string id =
      to_base64url(sha256({reinterpret_cast<char*>(der), static_cast<std::size_t>(size)}));
  OPENSSL_free(der);
  return id;
}

// x and y of a point on P-256, uncompressed: 04 x y.
base::Result<std::string> jwk_of(EVP_PKEY* key, std::string_view key_id) {
  constexpr std::size_t kPointBytes = 1 + 2 * kHalfBytes;
  unsigned char point[kPointBytes];
  std::size_t size = 0;
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &size) !=
          1 ||
      size != kPointBytes || point[0] != POINT_CONVERSION_UNCOMPRESSED)
    return openssl_status(base::Code::invalid_argument, "read the point of a public key");
  auto half = [&](int begin) {
    return to_base64url({reinterpret_cast<char*>(point) + begin, kHalfBytes});
  };
  return base::concat(R"({"use":"sig","kty":"EC","kid":")", key_id,
                      R"(","crv":"P-256","alg":"ES256","x":")", half(1), R"(","y":")",
                      half(1 + kHalfBytes), R"("})");
}

std::string header_of(std::string_view key_id) {
  return to_base64url(base::concat(R"({"alg":"ES256","kid":")", key_id, R"(","typ":"JWT"})"));
}

base::Result<std::string> raw_signature(const std::string& der) {
  auto* start = reinterpret_cast<const unsigned char*>(der.data());
  Signature signature(d2i_ECDSA_SIG(nullptr, &start, static_cast<long>(der.size())));
  std::string raw(2 * kHalfBytes, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, kHalfBytes) < 0 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + kHalfBytes, kHalfBytes) < 0)
    return openssl_status(base::Code::internal, "encode a signature");
  return raw;
}

std::string der_signature(const std::string& raw) {
  auto* in = reinterpret_cast<const unsigned char*>(raw.data());
  Signature signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(in, kHalfBytes, nullptr);
  BIGNUM* s = BN_bin2bn(in + kHalfBytes, kHalfBytes, nullptr);
  ECDSA_SIG_set0(signature.get(), r, s);
  unsigned char* der = nullptr;
  int size = i2d_ECDSA_SIG(signature.get(), &der);
  std::string text(reinterpret_cast<char*>(der), size > 0 ? static_cast<std::size_t>(size) : 0);
  OPENSSL_free(der);
  return text;
}

class Es256Signer final : public TokenSigner {
 public:
  Es256Signer(Key key, std::string key_id)
      : key_(std::move(key)), key_id_(std::move(key_id)), header_(header_of(key_id_)) {}

  base::Result<std::string> sign(std::string_view claims_json) const override {
    std::string input = base::concat(header_, ".", to_base64url(claims_json));
    DigestContext context(EVP_MD_CTX_new());
    auto* bytes = reinterpret_cast<const unsigned char*>(input.data());
    std::size_t size = 0;
    if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, bytes, input.size()) != 1)
      return openssl_status(base::Code::internal, "sign a token");
    std::string der(size, '\0');
    if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(der.data()), &size, bytes,
                       input.size()) != 1)
      return openssl_status(base::Code::internal, "sign a token");
    der.resize(size);
    SKIFF_ASSIGN_OR_RETURN(std::string raw, raw_signature(der));
    return base::concat(input, ".", to_base64url(raw));
  }

  const std::string& key_id() const override { return key_id_; }

 private:
  const Key key_;
  const std::string key_id_;
  const std::string header_;
};

base::Status refused(std::string_view why) {
  return base::Status(base::Code::unauthenticated, base::concat("invalid token: ", why));
}

class Es256Verifier final : public TokenVerifier {
 public:
  Es256Verifier(Key key, std::string key_id, std::string jwk)
      : key_(std::move(key)),
        key_id_(std::move(key_id)),
        jwk_(std::move(jwk)),
        header_(header_of(key_id_)) {}

  bool is_for(std::string_view token) const override {
    return token.size() > header_.size() && token[header_.size()] == '.' &&
           base::starts_with(token, header_);
  }
  const std::string& key_id() const override { return key_id_; }
  const std::string& public_jwk() const override { return jwk_; }

  base::Result<std::string> verify(std::string_view token) const override {
    if (token.size() > kTokenBytesMax) return refused("it is too long");
    auto parts = base::split(token, '.');
    if (parts.size() != 3) return refused("it does not have three parts");
    // Only the one header that our signer writes: no other algorithm, least of all "none".
    if (parts[0] != header_) return refused("it is signed by another key or in another way");
    auto signature = from_base64url(parts[2]);
    if (!signature || signature->size() != 2 * kHalfBytes) return refused("a malformed signature");
    std::string der = der_signature(*signature);
    std::string_view input = token.substr(0, parts[0].size() + 1 + parts[1].size());
    DigestContext context(EVP_MD_CTX_new());
    bool good =
        EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
        EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(der.data()),
                         der.size(), reinterpret_cast<const unsigned char*>(input.data()),
                         input.size()) == 1;
    if (!good) {
      ERR_clear_error();
      return refused("the signature is wrong");
    }
    auto claims = from_base64url(parts[1]);
    if (!claims) return refused("malformed claims");
    return *claims;
  }

 private:
  const Key key_;
  const std::string key_id_;
  const std::string jwk_;
  const std::string header_;
};

}  // namespace

base::Result<std::unique_ptr<TokenSigner>> make_token_signer(std::string_view private_key_pem) {
  SKIFF_ASSIGN_OR_RETURN(Key key, read_private_key(private_key_pem));
  SKIFF_ASSIGN_OR_RETURN(std::string key_id, key_id_of(key.get()));
  return std::unique_ptr<TokenSigner>(
      std::make_unique<Es256Signer>(std::move(key), std::move(key_id)));
}

base::Result<std::unique_ptr<TokenVerifier>> make_token_verifier(std::string_view public_key_pem) {
  SKIFF_ASSIGN_OR_RETURN(Key key, read_any_key(public_key_pem));
  SKIFF_ASSIGN_OR_RETURN(std::string key_id, key_id_of(key.get()));
  SKIFF_ASSIGN_OR_RETURN(std::string jwk, jwk_of(key.get(), key_id));
  return std::unique_ptr<TokenVerifier>(
      std::make_unique<Es256Verifier>(std::move(key), std::move(key_id), std::move(jwk)));
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_hex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  SKIFF_ASSERT(RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), static_cast<int>(bytes)) ==
               1);
  return base::to_hex(raw);
}

std::string sha256_hex(std::string_view bytes) { return base::to_hex(sha256(bytes)); }

std::string hmac_sha256_hex(std::string_view key, std::string_view message) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  SKIFF_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                    reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest,
                    &size) != nullptr);
  return base::to_hex(std::string_view(reinterpret_cast<char*>(digest), size));
}

}  // namespace skiff::pki
