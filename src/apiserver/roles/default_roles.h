// The roles and bindings that every cluster has, as objects.
#pragma once

#include <skiff/base/function.h>
#include <skiff/base/task.h>
#include <skiff/client/client.h>
#include <skiff/codec/json.h>

#include <string_view>

namespace skiff::apiserver {

struct Services;

// The table of default_roles.txt, which describes its form.
std::string_view default_roles_text();

struct DefaultObject {
  client::Resource resource;
  codec::Json object;
};
// One after the other, so that they are not all there at once.
void visit_default_roles(std::string_view text, base::UniqueFunction<void(DefaultObject)> visit);

// Makes the default roles and bindings, and adds to them what is missing; writes nothing when
// nothing is.
base::Task<base::Status> ensure_roles(Services& services, client::Client& client);

}  // namespace skiff::apiserver
