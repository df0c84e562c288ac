// Nobody gives away more than they have.
#pragma once

#include <skiff/api/outcome.h>
#include <skiff/codec/json.h>

#include "apiserver/context.h"

namespace skiff::apiserver {

// For writes of roles and bindings: the user has every rule that the object gives, or may escalate
// or bind. `live` is null for a create. Other resources pass. Errors: 403; 404 for a binding to a
// role that is not there.
api::Outcome<> check_escalation(const RequestContext& context, const codec::Json& object,
                                const codec::Json& live);

}  // namespace skiff::apiserver
