// A certificate authority: its key signs the certificates of a cluster.
#pragma once

#include <skiff/pki/certificate.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

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

// A certificate whose subject, names and key all come from the signing request.
struct RequestedCertificate {
  std::vector<std::string> usages;  // in the words of certificates.k8s.io: "client auth", …
  base::WallTime not_before, not_after;
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
  // Errors: invalid_argument for what is no request, and for usages that do not exist.
  virtual base::Result<std::string> sign_as_requested(
      std::string_view signing_request_pem, const RequestedCertificate& certificate) const = 0;
  // A certificate of this authority for another one: who trusts this one then believes that one.
  virtual base::Result<std::string> cross_sign(std::string_view authority_pem) const = 0;
  virtual const std::string& certificate_pem() const = 0;
  virtual base::WallTime not_after() const = 0;
};
// `chain_pem` follows every certificate that the authority makes. Errors: invalid_argument when the
// two do not belong together or are no authority.
base::Result<std::unique_ptr<Authority>> open_authority(const KeyAndCertificate& pair,
                                                        std::string chain_pem = {});

// Who signs for a cluster now, and whom its members trust: more than one authority while one
// replaces another. Thread-safe.
class ClusterTrust {
 public:
  ClusterTrust(std::shared_ptr<const Authority> signer, std::string bundle_pem,
               std::string retired_pem = {})
      : signer_(std::move(signer)),
        bundle_pem_(std::move(bundle_pem)),
        retired_pem_(std::move(retired_pem)) {}

  std::shared_ptr<const Authority> signer() const {
    std::lock_guard lock(mutex_);
    return signer_;
  }
  // PEM; the authority that signs comes first.
  std::string bundle_pem() const {
    std::lock_guard lock(mutex_);
    return bundle_pem_;
  }
  // With those that nobody trusts any more but who knows no other: they have signed the next one,
  // and so lead there.
  std::string known_pem() const {
    std::lock_guard lock(mutex_);
    return bundle_pem_ + retired_pem_;
  }
  void replace(std::shared_ptr<const Authority> signer, std::string bundle_pem,
               std::string retired_pem = {}) {
    std::lock_guard lock(mutex_);
    signer_ = std::move(signer);
    bundle_pem_ = std::move(bundle_pem);
    retired_pem_ = std::move(retired_pem);
  }
  // From now on as the other.
  void follow(const ClusterTrust& other) {
    std::scoped_lock lock(mutex_, other.mutex_);
    signer_ = other.signer_;
    bundle_pem_ = other.bundle_pem_;
    retired_pem_ = other.retired_pem_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Authority> signer_;  // under mutex_
  std::string bundle_pem_, retired_pem_;     // under mutex_
};

}  // namespace skiff::pki
