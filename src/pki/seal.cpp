#include <skiff/pki/seal.h>

#include <skiff/base/assert.h>

#include "pki/openssl.h"

#include <openssl/rand.h>

namespace skiff::pki {

namespace {

constexpr std::size_t kNonceBytes = 12, kTagBytes = 16;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  SKIFF_ASSERT(RAND_bytes(bytes_of(bytes), static_cast<int>(size)) == 1);
  return bytes;
}

}  // namespace

std::string make_seal_key() { return random_bytes(kSealKeyBytes); }

std::string seal(std::string_view key, std::string_view context, std::string_view plain) {
  SKIFF_ASSERT(key.size() == kSealKeyBytes);
  std::string nonce = random_bytes(kNonceBytes), sealed(plain.size(), '\0'), tag(kTagBytes, '\0');
  CipherContext cipher(EVP_CIPHER_CTX_new());
  int size = 0;
  bool done = EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key),
                                 bytes_of(nonce)) == 1 &&
              EVP_EncryptUpdate(cipher.get(), nullptr, &size, bytes_of(context),
                                static_cast<int>(context.size())) == 1 &&
              EVP_EncryptUpdate(cipher.get(), bytes_of(sealed), &size, bytes_of(plain),
                                static_cast<int>(plain.size())) == 1 &&
              EVP_EncryptFinal_ex(cipher.get(), bytes_of(sealed) + size, &size) == 1 &&
              EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag.data()) == 1;
  SKIFF_ASSERT(done);
  return nonce + sealed + tag;
}

base::Result<std::string> unseal(std::string_view key, std::string_view context,
                                 std::string_view sealed) {
  SKIFF_ASSERT(key.size() == kSealKeyBytes);
  if (sealed.size() < kNonceBytes + kTagBytes)
    return base::Status(base::Code::data_loss, "sealed bytes are too short");
  std::string_view nonce = sealed.substr(0, kNonceBytes);
  std::string_view body = sealed.substr(kNonceBytes, sealed.size() - kNonceBytes - kTagBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes)), plain(body.size() + 1, '\0');
  CipherContext cipher(EVP_CIPHER_CTX_new());
  int size = 0, rest = 0;
  bool done = EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key),
                                 bytes_of(nonce)) == 1 &&
              EVP_DecryptUpdate(cipher.get(), nullptr, &size, bytes_of(context),
                                static_cast<int>(context.size())) == 1 &&
              EVP_DecryptUpdate(cipher.get(), bytes_of(plain), &size, bytes_of(body),
                                static_cast<int>(body.size())) == 1 &&
              EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
              EVP_DecryptFinal_ex(cipher.get(), bytes_of(plain) + size, &rest) == 1;
  if (!done)
    return openssl_status(base::Code::data_loss,
                          "sealed bytes do not open: another key, another place, or damaged");
  plain.resize(static_cast<std::size_t>(size + rest));
  return plain;
}

}  // namespace skiff::pki
