// Subjects and alternative names between our values and OpenSSL's. Private to this module.
#pragma once

#include <skiff/pki/certificate.h>

#include "pki/openssl.h"

namespace skiff::pki {

base::Status write_subject(X509_NAME* name, const Subject& subject);
Subject read_subject(const X509_NAME* name);

// Null without any name. Errors: invalid_argument for an address that is none.
base::Result<AlternativeNames> make_alternative_names(const Identity& identity);
// Errors: invalid_argument when there are too many.
base::Status read_alternative_names(const GENERAL_NAMES* names, Identity& identity);

}  // namespace skiff::pki
