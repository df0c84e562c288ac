// DeleteOptions from the body or, without one, from the query.
#pragma once

#include "apiserver/context.h"

namespace skiff::apiserver {

// Errors: 400 for what cannot be read, 422 for values that contradict each other.
api::Outcome<registry::DeleteOptions> delete_options(RequestContext& context);

}  // namespace skiff::apiserver
