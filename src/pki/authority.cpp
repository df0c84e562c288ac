#include <skiff/pki/authority.h>

#include "pki/identity.h"
#include "pki/limits.h"

#include <openssl/bn.h>
#include <openssl/pem.h>

namespace skiff::pki {

namespace {

base::Status set_serial(X509* certificate) {
  std::unique_ptr<BIGNUM, OpensslFree<BIGNUM, BN_free>> number(BN_new());
  if (BN_rand(number.get(), kSerialNumberBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1 ||
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr)
    return openssl_status(base::Code::internal, "make a serial number");
  return base::Status::ok();
}

void set_validity(X509* certificate, base::WallTime from, base::WallTime until) {
  ASN1_TIME_set(X509_getm_notBefore(certificate), static_cast<std::time_t>(from.unix_seconds()));
  ASN1_TIME_set(X509_getm_notAfter(certificate), static_cast<std::time_t>(until.unix_seconds()));
}

base::Status add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  if (extension == nullptr) return openssl_status(base::Code::internal, "make an extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return base::Status::ok();
}

class OpensslAuthority final : public Authority {
 public:
  OpensslAuthority(Key key, Certificate certificate, std::string pem)
      : key_(std::move(key)), certificate_(std::move(certificate)), pem_(std::move(pem)) {}

  base::Result<KeyAndCertificate> issue(const CertificateRequest& request) const override {
    SKIFF_ASSIGN_OR_RETURN(Key key, generate_key());
    KeyAndCertificate made;
    SKIFF_ASSIGN_OR_RETURN(made.key_pem, write_private_key(key.get()));
    SKIFF_ASSIGN_OR_RETURN(made.certificate_pem, certify(key.get(), request));
    return made;
  }

  base::Result<std::string> sign(std::string_view signing_request_pem,
                                 const CertificateRequest& request) const override {
    SKIFF_RETURN_IF_ERROR(inspect_signing_request(signing_request_pem));
    Bio bio = read_bio(signing_request_pem);
    SigningRequest parsed(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
    return certify(X509_REQ_get0_pubkey(parsed.get()), request);
  }

  const std::string& certificate_pem() const override { return pem_; }

 private:
  base::Result<std::string> certify(EVP_PKEY* key, const CertificateRequest& request) const {
    Certificate certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    SKIFF_RETURN_IF_ERROR(set_serial(certificate.get()));
    set_validity(certificate.get(), request.now - request.back_dating, request.now + request.life);
    SKIFF_RETURN_IF_ERROR(
        write_subject(X509_get_subject_name(certificate.get()), request.identity.subject));
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
    X509_set_pubkey(certificate.get(), key);
    SKIFF_RETURN_IF_ERROR(add_extensions(certificate.get(), request));
    if (X509_sign(certificate.get(), key_.get(), EVP_sha256()) == 0)
      return openssl_status(base::Code::internal, "sign a certificate");
    return write_certificate(certificate.get());
  }

  base::Status add_extensions(X509* certificate, const CertificateRequest& request) const {
    X509* issuer = certificate_.get();
    SKIFF_RETURN_IF_ERROR(
        add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE"));
    SKIFF_RETURN_IF_ERROR(
        add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature"));
    const char* usage = request.for_client && request.for_server ? "clientAuth,serverAuth"
                        : request.for_client                     ? "clientAuth"
                                                                 : "serverAuth";
    SKIFF_RETURN_IF_ERROR(add_extension(certificate, issuer, NID_ext_key_usage, usage));
    SKIFF_RETURN_IF_ERROR(
        add_extension(certificate, issuer, NID_authority_key_identifier, "keyid"));
    SKIFF_ASSIGN_OR_RETURN(AlternativeNames names, make_alternative_names(request.identity));
    if (names && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) != 1)
      return openssl_status(base::Code::internal, "add the alternative names");
    return base::Status::ok();
  }

  const Key key_;
  const Certificate certificate_;
  const std::string pem_;
};

}  // namespace

base::Result<KeyAndCertificate> make_authority(std::string_view common_name, base::WallTime now,
                                               base::Duration life) {
  SKIFF_ASSIGN_OR_RETURN(Key key, generate_key());
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  SKIFF_RETURN_IF_ERROR(set_serial(certificate.get()));
  set_validity(certificate.get(), now - CertificateRequest().back_dating, now + life);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  SKIFF_RETURN_IF_ERROR(write_subject(name, {std::string(common_name), {}}));
  X509_set_issuer_name(certificate.get(), name);
  X509_set_pubkey(certificate.get(), key.get());
  X509* self = certificate.get();
  SKIFF_RETURN_IF_ERROR(add_extension(self, self, NID_basic_constraints, "critical,CA:TRUE"));
  SKIFF_RETURN_IF_ERROR(
      add_extension(self, self, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign"));
  SKIFF_RETURN_IF_ERROR(add_extension(self, self, NID_subject_key_identifier, "hash"));
  if (X509_sign(self, key.get(), EVP_sha256()) == 0)
    return openssl_status(base::Code::internal, "sign the authority");
  KeyAndCertificate made;
  SKIFF_ASSIGN_OR_RETURN(made.key_pem, write_private_key(key.get()));
  SKIFF_ASSIGN_OR_RETURN(made.certificate_pem, write_certificate(self));
  return made;
}

base::Result<std::unique_ptr<Authority>> open_authority(const KeyAndCertificate& pair) {
  SKIFF_ASSIGN_OR_RETURN(Key key, read_private_key(pair.key_pem));
  SKIFF_ASSIGN_OR_RETURN(Certificate certificate, read_certificate(pair.certificate_pem));
  if (X509_check_private_key(certificate.get(), key.get()) != 1)
    return openssl_status(base::Code::invalid_argument,
                          "the authority's key does not belong to its certificate");
  if (X509_check_ca(certificate.get()) != 1)
    return base::invalid_argument("the certificate is not that of an authority");
  return std::unique_ptr<Authority>(std::make_unique<OpensslAuthority>(
      std::move(key), std::move(certificate), pair.certificate_pem));
}

}  // namespace skiff::pki
