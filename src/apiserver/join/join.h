// How boards become nodes: GET /skiff/v1/ca says who this cluster is, POST /skiff/v1/ca says it to
// a board whose token names no authority, and proves it; POST /skiff/v1/join makes a node of a
// board that has a token, or that comes back by its known key.
#pragma once

#include <skiff/auth/join_token.h>

#include "apiserver/context.h"
#include "apiserver/join/join_request.h"

namespace skiff::apiserver {

// The authorities, to anybody: who has a token checks them against it.
base::Task<ResponseOutcome> handle_ca(RequestContext& context);
// The authorities with the proof that this master knows the secret, to a board that proves the
// same; see auth/join_proof.h. Errors: 400, 403, 429.
base::Task<ResponseOutcome> handle_prove(RequestContext& context);
base::Task<ResponseOutcome> handle_join(RequestContext& context);

struct FoundJoinToken {
  codec::Json secret;
  auth::JoinTokenRecord record;
};
// nullopt for one that is not there or damaged.
std::optional<FoundJoinToken> find_join_token(const Services& services, std::string_view id);

// Whoever is wrong too often waits. Errors: 429.
api::Outcome<> may_try_to_join(const RequestContext& context);
void note_join_refusal(const RequestContext& context, const api::ApiError& error);

// Checks token and name, spends the token, and writes the key on the Node. Errors: 403, 409; 503.
base::Task<api::Outcome<>> admit_node(Services& services, JoinRequest request);

// An error of the in-process client as an answer.
api::ApiError as_api_error(const base::Status& status);

}  // namespace skiff::apiserver
