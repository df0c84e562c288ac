// How boards become nodes: GET /skiff/v1/ca says who this cluster is, POST /skiff/v1/join makes a
// node of a board that has a token, or that comes back by its known key.
#pragma once

#include <skiff/auth/join_token.h>

#include "apiserver/context.h"
#include "apiserver/join/join_request.h"

namespace skiff::apiserver {

// Who writes Nodes and tokens for it.

// The authorities, to anybody: who has a token checks them against it.
base::Task<ResponseOutcome> handle_ca(RequestContext& context);
base::Task<ResponseOutcome> handle_join(RequestContext& context);

// Checks token and name, spends the token, and writes the key on the Node. Errors: 403, 409; 503.
base::Task<api::Outcome<>> admit_node(Services& services, JoinRequest request);

// An error of the in-process client as an answer.
api::ApiError as_api_error(const base::Status& status);

}  // namespace skiff::apiserver
