// Who may open the sessions of a node: the node itself, by its certificate, for its own name.
#pragma once

#include <string_view>

#include "apiserver/context.h"

namespace skiff::apiserver {

// Paths that no role gives and that not even an administrator has a use for.
bool is_node_session_path(std::string_view path);
// Errors: 403 for everybody but a node that came with its own certificate.
api::Outcome<> check_is_node(const RequestContext& context);

}  // namespace skiff::apiserver
