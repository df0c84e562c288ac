#include "controllers/certificates/plan_signing.h"

#include <algorithm>

#include "controllers/certificates/signing_requests.h"
#include "controllers/limits.h"

namespace skiff::controllers {

std::optional<std::string> why_not_signed(const Json& csr, const pki::SigningRequestInfo& request) {
  auto signer = csr.at({"spec", "signerName"}).as_string();
  if (signer == kKubeletClientSigner) return why_no_kubelet_client(request, usages_of(csr));
  if (signer == kKubeletServingSigner) return why_no_kubelet_serving(request, usages_of(csr));
  if (signer == kApiClientSigner) return why_no_api_client(csr.at({"spec", "usages"}));
  if (signer == kLegacySigner) return "";
  return std::nullopt;
}

pki::RequestedCertificate plan_certificate(const Json& csr, base::WallTime now) {
  base::Duration life = kSignedLifeMax;
  if (const Json& seconds = csr.at({"spec", "expirationSeconds"}); seconds.is_int())
    life = std::clamp<base::Duration>(std::chrono::seconds(seconds.as_int()), kSignedLifeMin,
                                      kSignedLifeMax);
  pki::RequestedCertificate wanted;
  for (const Json& usage : csr.at({"spec", "usages"}).items())
    wanted.usages.emplace_back(usage.as_string());
  wanted.not_before = now - kSignedBackDating;
  wanted.not_after = life < kShortLife ? now + life : now + (life - kSignedBackDating);
  return wanted;
}

}  // namespace skiff::controllers
