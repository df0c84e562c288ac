// Keys, certificates and signing requests as PEM text. ECDSA P-256 everywhere. All functions are
// thread-safe; they compute, and never block.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/base/result.h>

#include <string>
#include <string_view>
#include <vector>

namespace skiff::pki {

// A new private key, PKCS #8 PEM.
base::Result<std::string> make_private_key();
// The public half of a private key, SubjectPublicKeyInfo PEM.
base::Result<std::string> public_key_of(std::string_view private_key_pem);

struct Subject {
  std::string common_name;
  std::vector<std::string> organizations;
};

// What a certificate or a signing request says of its owner.
struct Identity {
  Subject subject;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
};

struct CertificateInfo {
  Identity identity;
  std::string issuer_common_name;
  base::WallTime not_before, not_after;
  bool is_authority = false, for_client = false, for_server = false;
  std::string fingerprint;             // sha256 of the DER, lower-case hex
  std::string public_key_fingerprint;  // sha256 of the SubjectPublicKeyInfo, lower-case hex
};
// Reads the first certificate of a PEM text. Errors: invalid_argument.
base::Result<CertificateInfo> inspect_certificate(std::string_view certificate_pem);
// The certificates of a PEM text, each as a text of its own. Errors: invalid_argument when there is
// none, one is damaged, or there are more than 32.
base::Result<std::vector<std::string>> split_certificates(std::string_view certificates_pem);
// CertificateInfo::public_key_fingerprint of the public half of a private key.
base::Result<std::string> key_fingerprint(std::string_view private_key_pem);
// Whether the certificate holds the public half of the key.
base::Result<bool> certificate_matches_key(std::string_view certificate_pem,
                                           std::string_view private_key_pem);
// Signed by one of the authorities (PEM, several), directly or by the certificates that follow the
// first one, and valid at `now`.
base::Status verify_certificate(std::string_view certificate_pem, std::string_view authorities_pem,
                                base::WallTime now);

// PKCS #10. The identity goes into subject and subjectAltName.
base::Result<std::string> make_signing_request(const Identity& identity,
                                               std::string_view private_key_pem);
// Checks the request's own signature. Errors: invalid_argument.
base::Result<Identity> inspect_signing_request(std::string_view request_pem);

struct SigningRequestInfo {
  Identity identity;
  std::vector<std::string> emails, uris;  // alternative names that no Identity has
  std::string public_key_fingerprint;     // sha256 of the SubjectPublicKeyInfo, lower-case hex
};
// The same with everything that a request may say. Errors are in the words of Go's crypto/x509.
base::Result<SigningRequestInfo> read_signing_request(std::string_view request_pem);

// "" for PEM text of one or more certificates, else what is wrong with it, in upstream's words.
std::string why_no_certificates(std::string_view pem);

}  // namespace skiff::pki
