// What the cluster's members trust, for the controllers that give it to them.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/pki/authority.h>

#include <string>
#include <utility>

namespace skiff::controllers {

// How soon another authority is seen.
inline constexpr base::Duration kTrustCheckInterval = std::chrono::seconds(15);

// Thread-compatible.
class RootCa {
 public:
  // Stays what it is.
  explicit RootCa(std::string pem) : pem_(std::move(pem)) {}
  // Follows `trust`, which outlives it.
  explicit RootCa(const pki::ClusterTrust& trust) : trust_(&trust), pem_(trust.bundle_pem()) {}

  const std::string& pem() const { return pem_; }
  bool may_change() const { return trust_ != nullptr; }
  // Takes over what the trust says by now; whether it is something else.
  bool refresh() {
    if (trust_ == nullptr) return false;
    auto now = trust_->bundle_pem();
    if (now == pem_) return false;
    pem_ = std::move(now);
    return true;
  }

 private:
  const pki::ClusterTrust* trust_ = nullptr;
  std::string pem_;
};

}  // namespace skiff::controllers
