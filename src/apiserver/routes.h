// From a checked request to its handler.
#pragma once

#include "apiserver/context.h"

namespace skiff::apiserver {

// Errors: 404 for what does not exist, 405 for verbs that a resource does not have.
base::Task<ResponseOutcome> route(RequestContext& context);

// The checks of route() for callers that bring decoded objects.
api::Outcome<> check_route(const RequestContext& context);

api::ApiError no_such_path();

}  // namespace skiff::apiserver
