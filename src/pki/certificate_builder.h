// Steps of making a certificate. Private to this module.
#pragma once

#include <skiff/base/clock.h>

#include "pki/openssl.h"

#include <string>
#include <vector>

namespace skiff::pki {

base::Status set_serial(X509* certificate);
void set_validity(X509* certificate, base::WallTime from, base::WallTime until);
// `value` in OpenSSL's words. `issuer` may be the certificate itself.
base::Status add_extension(X509* certificate, X509* issuer, int nid, const std::string& value);

// OpenSSL's words for usages of certificates.k8s.io: of the key, and extended ones; empty when
// there are none. Errors: invalid_argument names those that do not exist.
struct UsageWords {
  std::string key, extended;
};
base::Result<UsageWords> usage_words(const std::vector<std::string>& usages);

}  // namespace skiff::pki
