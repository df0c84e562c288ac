#include <skiff/pki/certificate.h>

#include "pki/identity.h"
#include "pki/limits.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <ctime>

namespace skiff::pki {

namespace {

base::WallTime wall_time(const ASN1_TIME* time) {
  std::tm utc{};
  if (ASN1_TIME_to_tm(time, &utc) != 1) return {};
  return base::WallTime::from_unix_seconds(timegm(&utc));
}

std::string digest_hex(const unsigned char* bytes, std::size_t size) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_size = 0;
  EVP_Digest(bytes, size, digest, &digest_size, EVP_sha256(), nullptr);
  return hex(digest, digest_size);
}

std::string fingerprint_of(const X509_PUBKEY* key) {
  unsigned char* der = nullptr;
  int size = i2d_X509_PUBKEY(key, &der);
  if (size <= 0) return {};
  std::string text = digest_hex(der, static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

std::string certificate_fingerprint(X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1) return {};
  return hex(digest, size);
}

using Store = std::unique_ptr<X509_STORE, OpensslFree<X509_STORE, X509_STORE_free>>;
using StoreContext =
    std::unique_ptr<X509_STORE_CTX, OpensslFree<X509_STORE_CTX, X509_STORE_CTX_free>>;

base::Result<Store> make_store(std::string_view authorities_pem) {
  Store store(X509_STORE_new());
  Bio bio = read_bio(authorities_pem);
  int count = 0;
  for (;;) {
    Certificate authority(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!authority) break;
    X509_STORE_add_cert(store.get(), authority.get());
    ++count;
  }
  if (count == 0) return openssl_status(base::Code::invalid_argument, "no authority in PEM form");
  return store;
}

// What follows the first certificate of a PEM text.
struct ChainFree {
  void operator()(STACK_OF(X509) * chain) const { sk_X509_pop_free(chain, X509_free); }
};
using Chain = std::unique_ptr<STACK_OF(X509), ChainFree>;
Chain read_chain(std::string_view pem) {
  Chain chain(sk_X509_new_null());
  Bio bio = read_bio(pem);
  for (bool is_first = true;; is_first = false) {
    Certificate next(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!next) break;
    if (!is_first) sk_X509_push(chain.get(), next.release());
  }
  ERR_clear_error();
  return chain;
}

}  // namespace

base::Result<std::string> make_private_key() {
  SKIFF_ASSIGN_OR_RETURN(Key key, generate_key());
  return write_private_key(key.get());
}

base::Result<std::string> public_key_of(std::string_view private_key_pem) {
  SKIFF_ASSIGN_OR_RETURN(Key key, read_private_key(private_key_pem));
  Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PUBKEY(bio.get(), key.get()) != 1)
    return openssl_status(base::Code::internal, "write a public key");
  return bio_text(bio.get());
}

base::Result<CertificateInfo> inspect_certificate(std::string_view certificate_pem) {
  SKIFF_ASSIGN_OR_RETURN(Certificate certificate, read_certificate(certificate_pem));
  CertificateInfo info;
  info.identity.subject = read_subject(X509_get_subject_name(certificate.get()));
  info.issuer_common_name = read_subject(X509_get_issuer_name(certificate.get())).common_name;
  AlternativeNames names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  SKIFF_RETURN_IF_ERROR(read_alternative_names(names.get(), info.identity));
  info.not_before = wall_time(X509_get0_notBefore(certificate.get()));
  info.not_after = wall_time(X509_get0_notAfter(certificate.get()));
  info.is_authority = X509_check_ca(certificate.get()) == 1;
  std::uint32_t usage = X509_get_extended_key_usage(certificate.get());
  bool has_usage = (X509_get_extension_flags(certificate.get()) & EXFLAG_XKUSAGE) != 0;
  info.for_client = has_usage && (usage & XKU_SSL_CLIENT) != 0;
  info.for_server = has_usage && (usage & XKU_SSL_SERVER) != 0;
  info.fingerprint = certificate_fingerprint(certificate.get());
  info.public_key_fingerprint = fingerprint_of(X509_get_X509_PUBKEY(certificate.get()));
  return info;
}

base::Result<std::vector<std::string>> split_certificates(std::string_view certificates_pem) {
  if (certificates_pem.size() > kBundleBytesMax) return base::invalid_argument("too many bytes");
  std::vector<std::string> list;
  Bio bio = read_bio(certificates_pem);
  ERR_clear_error();
  for (;;) {
    Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate) break;
    if (list.size() >= kBundleCertificatesMax)
      return base::invalid_argument("too many certificates");
    SKIFF_ASSIGN_OR_RETURN(auto text, write_certificate(certificate.get()));
    list.push_back(std::move(text));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (list.empty() || !at_end)
    return openssl_status(base::Code::invalid_argument, "not certificates in PEM form");
  ERR_clear_error();
  return list;
}

base::Result<std::string> key_fingerprint(std::string_view private_key_pem) {
  SKIFF_ASSIGN_OR_RETURN(Key key, read_private_key(private_key_pem));
  unsigned char* der = nullptr;
  int size = i2d_PUBKEY(key.get(), &der);
  if (size <= 0) return openssl_status(base::Code::internal, "read a public key");
  std::string text = digest_hex(der, static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

base::Result<bool> certificate_matches_key(std::string_view certificate_pem,
                                           std::string_view private_key_pem) {
  SKIFF_ASSIGN_OR_RETURN(Certificate certificate, read_certificate(certificate_pem));
  SKIFF_ASSIGN_OR_RETURN(Key key, read_private_key(private_key_pem));
  return EVP_PKEY_eq(X509_get0_pubkey(certificate.get()), key.get()) == 1;
}

base::Status verify_certificate(std::string_view certificate_pem, std::string_view authorities_pem,
                                base::WallTime now) {
  SKIFF_ASSIGN_OR_RETURN(Certificate certificate, read_certificate(certificate_pem));
  SKIFF_ASSIGN_OR_RETURN(Store store, make_store(authorities_pem));
  StoreContext context(X509_STORE_CTX_new());
  Chain chain = read_chain(certificate_pem);
  X509_STORE_CTX_init(context.get(), store.get(), certificate.get(), chain.get());
  X509_STORE_CTX_set_time(context.get(), 0, static_cast<std::time_t>(now.unix_seconds()));
  if (X509_verify_cert(context.get()) == 1) return base::Status::ok();
  int error = X509_STORE_CTX_get_error(context.get());
  return base::Status(base::Code::unauthenticated,
                      std::string("certificate: ") + X509_verify_cert_error_string(error));
}

}  // namespace skiff::pki
