// A certificate authority: its key signs the certificates of a cluster.
#pragma once

#include <skiff/pki/certificate.h>

#include <memory>
#include <string>
#include <string_view>

namespace skiff::pki {

struct KeyAndCertificate {
  std::string key_pem;
  std::string certificate_pem;
};

struct CertificateRequest {
  Identity identity;
  bool for_client = false, for_server = false;
  base::WallTime now;
  base::Duration life = std::chrono::hours(24 * 365);
  // Certificates begin this long before `now`, for boards whose clock is behind.
  base::Duration back_dating = std::chrono::hours(24);
};

// A new self-signed authority.
base::Result<KeyAndCertificate> make_authority(std::string_view common_name, base::WallTime now,
                                               base::Duration life);

// Thread-safe.
class Authority {
 public:
  virtual ~Authority() = default;
  // A new key with its certificate.
  virtual base::Result<KeyAndCertificate> issue(const CertificateRequest& request) const = 0;
  // A certificate for the key of a signing request; what it says comes from `request`, not from
  // the signing request.
  virtual base::Result<std::string> sign(std::string_view signing_request_pem,
                                         const CertificateRequest& request) const = 0;
  virtual const std::string& certificate_pem() const = 0;
};
// Errors: invalid_argument when the two do not belong together or are no authority.
base::Result<std::unique_ptr<Authority>> open_authority(const KeyAndCertificate& pair);

}  // namespace skiff::pki
