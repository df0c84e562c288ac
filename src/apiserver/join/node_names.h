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

// What a node writes of its own Node: one that it makes gets the key that it came with, and it
// changes no key that is there. Errors: 403.
api::Outcome<> guard_node_key(const RequestContext& context, codec::Json& object,
                              const codec::Json& live);

// Makes the Node, or writes the key on the one that is there, in place of `expected_key`. A Node
// whose key is another by now is a 409.
base::Task<api::Outcome<>> claim_node_name(Services& services, std::string node_name,
                                           auth::NodeNameState expected, std::string key_sha256,
                                           codec::Json taints);

}  // namespace skiff::apiserver
