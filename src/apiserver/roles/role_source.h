// Roles and bindings as the hub has them.
#pragma once

#include <skiff/auth/rbac.h>
#include <skiff/watch/hub.h>

#include <memory>

namespace skiff::apiserver {

// The hub outlives it.
std::unique_ptr<auth::RoleSource> make_role_source(watch::Hub& hub);

}  // namespace skiff::apiserver
