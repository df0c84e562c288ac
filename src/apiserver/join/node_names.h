// Which key a node's name belongs to: an annotation of the Node, written by the master alone.
#pragma once

#include <skiff/auth/join_token.h>

#include "apiserver/context.h"

namespace skiff::apiserver {

// As the Node is now; without a Node the name is free.
auth::NodeNameState node_name_state(const Services& services, std::string_view node_name);

// Whether the key may be that node: a name without a Node, or a Node without a key, is any key's
// that the authority has signed for.
bool may_be_node(const Services& services, std::string_view node_name, std::string_view key_sha256);

// A Node that a node makes for itself gets the key that it came with, whatever it says; keys that
// are there are NodeRestriction's. Errors: 403, a key without a certificate.
api::Outcome<> claim_node_key(const RequestContext& context, codec::Json& object,
                              const codec::Json& live);

// Makes the Node, or writes the key on the one that is there, in place of `expected_key`. A Node
// whose key is another by now is a 409.
base::Task<api::Outcome<>> claim_node_name(Services& services, std::string node_name,
                                           auth::NodeNameState expected, std::string key_sha256,
                                           codec::Json taints);

}  // namespace skiff::apiserver
