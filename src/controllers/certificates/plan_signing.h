// How the signers of a cluster sign. Pure.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/codec/json.h>
#include <skiff/pki/authority.h>

#include <optional>
#include <string>

namespace skiff::controllers {

// What the signer of the request refuses about it; empty when it signs; nullopt for signers that
// are not ours.
std::optional<std::string> why_not_signed(const codec::Json& csr,
                                          const pki::SigningRequestInfo& request);
// Usages as asked, life as asked within upstream's bounds.
pki::RequestedCertificate plan_certificate(const codec::Json& csr, base::WallTime now);

}  // namespace skiff::controllers
