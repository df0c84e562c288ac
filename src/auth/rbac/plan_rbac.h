// Decisions over an index. Pure.
#pragma once

#include "auth/rbac/rbac_index.h"

namespace skiff::auth {

// Allow, or no opinion with what is wrong with the user's bindings. Allocates nothing unless it has
// a reason to tell.
Decision plan_rbac(const RbacIndex& index, const Attributes& attributes);

// "a", or "[a, b]" without repeats.
std::string aggregate_text(std::vector<std::string> errors);

}  // namespace skiff::auth
