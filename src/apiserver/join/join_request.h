// The bodies of POST /skiff/v1/join and /skiff/v1/ca. Pure; any bytes give an answer.
#pragma once

#include <skiff/api/outcome.h>
#include <skiff/auth/join_proof.h>
#include <skiff/codec/json.h>

#include <string>
#include <string_view>
#include <vector>

namespace skiff::apiserver {

struct JoinRequest {
  std::string node_name;
  std::string token_id, token_secret;  // both empty: the board comes back by its known key
  std::string signing_request_pem;
  std::string key_sha256;  // of the signing request, whose signature is checked
  bool replace = false;
  codec::Json taints;  // of a new node; null without
};

// `reserved_names` are those of the API server: a node of that name could pass for it.
// Errors: 400 with what is wrong.
api::Outcome<JoinRequest> parse_join_request(std::string_view body,
                                             const std::vector<std::string>& reserved_names);

// What a board proves itself with; the channel is not in it. Errors: 400 with what is wrong.
api::Outcome<auth::JoinProof> parse_join_proof(std::string_view body);

// Errors: 400 for a name that no node may have.
api::Outcome<> check_node_name(std::string_view name,
                               const std::vector<std::string>& reserved_names);

}  // namespace skiff::apiserver
