// Signing requests as OpenSSL's objects. Private to this module.
#pragma once

#include "pki/openssl.h"

#include <openssl/err.h>

namespace skiff::pki {

// The one request of a PEM text, its own signature checked. Errors: invalid_argument.
base::Result<SigningRequest> parse_signing_request(std::string_view request_pem);
// Null when it names none.
AlternativeNames names_of_request(X509_REQ* request);

}  // namespace skiff::pki
