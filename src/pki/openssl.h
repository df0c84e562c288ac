// Owners of OpenSSL's objects, and its errors as sentences. Private to this module.
#pragma once

#include <skiff/base/result.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

namespace skiff::pki {

template <class T, void (*free_it)(T*)>
struct OpensslFree {
  void operator()(T* object) const { free_it(object); }
};
struct BioFree {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using Bio = std::unique_ptr<BIO, BioFree>;
using Key = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, OpensslFree<X509, X509_free>>;
using SigningRequest = std::unique_ptr<X509_REQ, OpensslFree<X509_REQ, X509_REQ_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, OpensslFree<EVP_MD_CTX, EVP_MD_CTX_free>>;
using CipherContext =
    std::unique_ptr<EVP_CIPHER_CTX, OpensslFree<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>>;
using AlternativeNames =
    std::unique_ptr<GENERAL_NAMES, OpensslFree<GENERAL_NAMES, GENERAL_NAMES_free>>;

// "<what>: <OpenSSL's reason>", and clears OpenSSL's error queue.
base::Status openssl_status(base::Code code, std::string_view what);

Bio read_bio(std::string_view text);
std::string bio_text(BIO* bio);

base::Result<Key> read_private_key(std::string_view pem);
// A private or public key.
base::Result<Key> read_any_key(std::string_view pem);
base::Result<Key> generate_key();
base::Result<std::string> write_private_key(EVP_PKEY* key);

base::Result<Certificate> read_certificate(std::string_view pem);
base::Result<std::string> write_certificate(X509* certificate);

std::string hex(const unsigned char* bytes, std::size_t size);

}  // namespace skiff::pki
