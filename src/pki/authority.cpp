#include <skiff/base/strings.h>
#include <skiff/pki/authority.h>

#include "pki/certificate_builder.h"
#include "pki/identity.h"
#include "pki/signing_request.h"

#include <openssl/pem.h>

#include <algorithm>
#include <ctime>

namespace skiff::pki {

namespace {

base::WallTime wall_time(const ASN1_TIME* time) {
  std::tm utc{};
  if (ASN1_TIME_to_tm(time, &utc) != 1) return {};
  return base::WallTime::from_unix_seconds(timegm(&utc));
}

// What the names of a certificate may be; others in the request are left out, as upstream's signer
// does.
AlternativeNames signable_names(X509_REQ* request) {
  AlternativeNames names = names_of_request(request);
  int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  for (int i = count - 1; i >= 0; --i) {
    int type = sk_GENERAL_NAME_value(names.get(), i)->type;
    if (type == GEN_DNS || type == GEN_IPADD || type == GEN_EMAIL || type == GEN_URI) continue;
    GENERAL_NAME_free(sk_GENERAL_NAME_delete(names.get(), i));
  }
  if (names && sk_GENERAL_NAME_num(names.get()) == 0) names.reset();
  return names;
}

class OpensslAuthority final : public Authority {
 public:
  OpensslAuthority(Key key, Certificate certificate, std::string pem, std::string chain_pem)
      : key_(std::move(key)),
        certificate_(std::move(certificate)),
        pem_(std::move(pem)),
        chain_pem_(std::move(chain_pem)) {}

  base::Result<KeyAndCertificate> issue(const CertificateRequest& request) const override {
    SKIFF_ASSIGN_OR_RETURN(Key key, generate_key());
    KeyAndCertificate made;
    SKIFF_ASSIGN_OR_RETURN(made.key_pem, write_private_key(key.get()));
    SKIFF_ASSIGN_OR_RETURN(made.certificate_pem, certify(key.get(), request));
    return made;
  }

  base::Result<std::string> sign(std::string_view signing_request_pem,
                                 const CertificateRequest& request) const override {
    SKIFF_ASSIGN_OR_RETURN(SigningRequest parsed, parse_signing_request(signing_request_pem));
    return certify(X509_REQ_get0_pubkey(parsed.get()), request);
  }

  base::Result<std::string> sign_as_requested(std::string_view signing_request_pem,
                                              const RequestedCertificate& wanted) const override {
    SKIFF_ASSIGN_OR_RETURN(SigningRequest request, parse_signing_request(signing_request_pem));
    SKIFF_ASSIGN_OR_RETURN(UsageWords usages, usage_words(wanted.usages));
    Certificate made(X509_new());
    X509* certificate = made.get();
    X509_set_version(certificate, X509_VERSION_3);
    SKIFF_RETURN_IF_ERROR(set_serial(certificate));
    set_validity(certificate, wanted.not_before, std::min(wanted.not_after, not_after()));
    X509_NAME* subject = X509_REQ_get_subject_name(request.get());
    X509_set_subject_name(certificate, subject);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate_.get()));
    X509_set_pubkey(certificate, X509_REQ_get0_pubkey(request.get()));
    X509* issuer = certificate_.get();
    SKIFF_RETURN_IF_ERROR(
        add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE"));
    if (!usages.key.empty())
      SKIFF_RETURN_IF_ERROR(
          add_extension(certificate, issuer, NID_key_usage, base::concat("critical,", usages.key)));
    if (!usages.extended.empty())
      SKIFF_RETURN_IF_ERROR(add_extension(certificate, issuer, NID_ext_key_usage, usages.extended));
    SKIFF_RETURN_IF_ERROR(
        add_extension(certificate, issuer, NID_authority_key_identifier, "keyid"));
    AlternativeNames names = signable_names(request.get());
    const int critical = X509_NAME_entry_count(subject) == 0 ? 1 : 0;
    if (names &&
        X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), critical, 0) != 1)
      return openssl_status(base::Code::internal, "add the alternative names");
    return finish(certificate);
  }

  base::Result<std::string> cross_sign(std::string_view authority_pem) const override {
    SKIFF_ASSIGN_OR_RETURN(Certificate other, read_certificate(authority_pem));
    Certificate made(X509_new());
    X509* certificate = made.get();
    X509* issuer = certificate_.get();
    X509_set_version(certificate, X509_VERSION_3);
    SKIFF_RETURN_IF_ERROR(set_serial(certificate));
    set_validity(certificate, wall_time(X509_get0_notBefore(other.get())),
                 std::min(not_after(), wall_time(X509_get0_notAfter(other.get()))));
    X509_set_subject_name(certificate, X509_get_subject_name(other.get()));
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    X509_set_pubkey(certificate, X509_get0_pubkey(other.get()));
    SKIFF_RETURN_IF_ERROR(
        add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE"));
    SKIFF_RETURN_IF_ERROR(add_extension(certificate, issuer, NID_key_usage,
                                        "critical,digitalSignature,keyCertSign,cRLSign"));
    SKIFF_RETURN_IF_ERROR(add_extension(certificate, issuer, NID_subject_key_identifier, "hash"));
    SKIFF_RETURN_IF_ERROR(
        add_extension(certificate, issuer, NID_authority_key_identifier, "keyid"));
    if (X509_sign(certificate, key_.get(), EVP_sha256()) == 0)
      return openssl_status(base::Code::internal, "sign an authority");
    return write_certificate(certificate);
  }

  const std::string& certificate_pem() const override { return pem_; }
  base::WallTime not_after() const override {
    return wall_time(X509_get0_notAfter(certificate_.get()));
  }

 private:
  // The certificate, signed, with the authority's chain behind it.
  base::Result<std::string> finish(X509* certificate) const {
    if (X509_sign(certificate, key_.get(), EVP_sha256()) == 0)
      return openssl_status(base::Code::internal, "sign a certificate");
    SKIFF_ASSIGN_OR_RETURN(std::string pem, write_certificate(certificate));
    return pem + chain_pem_;
  }

  base::Result<std::string> certify(EVP_PKEY* key, const CertificateRequest& request) const {
    Certificate certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    SKIFF_RETURN_IF_ERROR(set_serial(certificate.get()));
    set_validity(certificate.get(), request.now - request.back_dating,
                 std::min(request.now + request.life, not_after()));
    SKIFF_RETURN_IF_ERROR(
        write_subject(X509_get_subject_name(certificate.get()), request.identity.subject));
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
    X509_set_pubkey(certificate.get(), key);
    SKIFF_RETURN_IF_ERROR(add_extensions(certificate.get(), request));
    return finish(certificate.get());
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
  const std::string pem_, chain_pem_;
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

base::Result<std::unique_ptr<Authority>> open_authority(const KeyAndCertificate& pair,
                                                        std::string chain_pem) {
  SKIFF_ASSIGN_OR_RETURN(Key key, read_private_key(pair.key_pem));
  SKIFF_ASSIGN_OR_RETURN(Certificate certificate, read_certificate(pair.certificate_pem));
  if (X509_check_private_key(certificate.get(), key.get()) != 1)
    return openssl_status(base::Code::invalid_argument,
                          "the authority's key does not belong to its certificate");
  if (X509_check_ca(certificate.get()) != 1)
    return base::invalid_argument("the certificate is not that of an authority");
  return std::unique_ptr<Authority>(std::make_unique<OpensslAuthority>(
      std::move(key), std::move(certificate), pair.certificate_pem, std::move(chain_pem)));
}

}  // namespace skiff::pki
