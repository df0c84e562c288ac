// What only the server knows of a CertificateSigningRequest.
#pragma once

#include "apiserver/context.h"

namespace skiff::apiserver {

// Who asks, and when conditions came that do not say it. `live` is null for a create. Other
// resources are left alone.
void complete_signing_request(const RequestContext& context, codec::Json& object,
                              const codec::Json& live);

}  // namespace skiff::apiserver
