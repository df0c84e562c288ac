// When a CertificateSigningRequest has done its duty. Pure.
#pragma once

#include <skiff/base/age.h>
#include <skiff/codec/json.h>

#include <optional>

namespace skiff::controllers {

// The rest of the request's life, zero or less when it goes now; nullopt for one that stays until
// it changes. `age_of` tells how long ago a stamp was made.
std::optional<base::Duration> rest_of_life(const codec::Json& csr, base::WallTime now,
                                           const base::AgeOf& age_of);

}  // namespace skiff::controllers
