#include "pki/openssl.h"

#include <skiff/base/strings.h>

#include "pki/limits.h"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace skiff::pki {

base::Status openssl_status(base::Code code, std::string_view what) {
  unsigned long error = ERR_peek_last_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  ERR_clear_error();
  return base::Status(code,
                      reason == nullptr ? std::string(what) : base::concat(what, ": ", reason));
}

Bio read_bio(std::string_view text) {
  if (text.size() > kPemBytesMax) text = {};
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string bio_text(BIO* bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

base::Result<Key> read_private_key(std::string_view pem) {
  Bio bio = read_bio(pem);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, const_cast<char*>("")));
  if (!key) return openssl_status(base::Code::invalid_argument, "not a private key in PEM form");
  return key;
}

base::Result<Key> read_any_key(std::string_view pem) {
  Bio bio = read_bio(pem);
  Key key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (key) return key;
  return read_private_key(pem);
}

base::Result<Key> generate_key() {
  Key key(EVP_EC_gen("P-256"));
  if (!key) return openssl_status(base::Code::internal, "make a key");
  return key;
}

base::Result<std::string> write_private_key(EVP_PKEY* key) {
  Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return openssl_status(base::Code::internal, "write a key");
  return bio_text(bio.get());
}

base::Result<Certificate> read_certificate(std::string_view pem) {
  Bio bio = read_bio(pem);
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate)
    return openssl_status(base::Code::invalid_argument, "not a certificate in PEM form");
  return certificate;
}

base::Result<std::string> write_certificate(X509* certificate) {
  Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bio.get(), certificate) != 1)
    return openssl_status(base::Code::internal, "write a certificate");
  return bio_text(bio.get());
}

std::string hex(const unsigned char* bytes, std::size_t size) {
  return base::to_hex(std::string_view(reinterpret_cast<const char*>(bytes), size));
}

}  // namespace skiff::pki
