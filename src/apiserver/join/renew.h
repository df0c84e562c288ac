// POST /skiff/v1/renew: a node that has a certificate gets the next, and the authorities that the
// cluster trusts by now.
#pragma once

#include "apiserver/context.h"

namespace skiff::apiserver {

// The body has the `signingRequest` of the node's own key; without one the answer has the
// authorities alone. Errors: 403 for everybody but a node with its own certificate, and for a key
// that is not the node's.
base::Task<ResponseOutcome> handle_renew(RequestContext& context);

}  // namespace skiff::apiserver
