#include "apiserver/tunnel/access.h"

#include <skiff/client/node_protocol.h>

#include "apiserver/filters/filters.h"

namespace skiff::apiserver {

bool is_node_session_path(std::string_view path) {
  return path == client::kNodeSessionPath || path.starts_with(client::kStreamSessionPrefix);
}

api::Outcome<> check_is_node(const RequestContext& context) {
  const auto& user = context.user;
  const auto& peer = context.request.peer;
  // Who acts as a node must not take its place.
  const bool by_certificate = peer.certificate_common_name == user.name;
  if (by_certificate && !auth::node_name_of(user).empty()) return api::Done{};
  return not_allowed(authorizer_attributes(context), "only a node may, by its own certificate");
}

}  // namespace skiff::apiserver
