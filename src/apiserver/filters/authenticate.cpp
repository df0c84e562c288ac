#include "apiserver/filters/filters.h"
#include "apiserver/join/node_names.h"

namespace skiff::apiserver {

namespace {

// As upstream, where the certificate is verified with each request: a connection may outlive it.
// Not that of a node with the key of its Node, which could have another certificate by the key.
bool has_ended(const RequestContext& context, const auth::User& user) {
  const auto& peer = context.request.peer;
  if (!peer.certificate_end || context.services.clock().now() < *peer.certificate_end) return false;
  const auto node = auth::node_name_of(user);
  return node.empty() || peer.certificate_key_sha256.empty() ||
         node_name_state(context.services, node).key_sha256 != peer.certificate_key_sha256;
}

}  // namespace

api::Outcome<> filter_authenticate(RequestContext& context) {
  const auto& request = context.request;
  auth::Credentials credentials;
  credentials.certificate_common_name = request.peer.certificate_common_name;
  credentials.certificate_organizations = &request.peer.certificate_organizations;
  credentials.certificate_fingerprint = request.peer.certificate_fingerprint;
  credentials.certificate_error = request.peer.certificate_error;
  credentials.authorization_header = request.headers.get("Authorization");
  credentials.websocket_protocols = request.headers.get("Sec-WebSocket-Protocol");
  auto found = context.services.authenticator->authenticate(credentials);
  if (found.is_ok() && !credentials.certificate_common_name.empty() &&
      has_ended(context, found->user)) {
    credentials.certificate_common_name = {};
    credentials.certificate_error = "certificate has expired";
    found = context.services.authenticator->authenticate(credentials);
  }
  if (!found.is_ok()) return api::unauthorized_error();
  // A certificate outlives its key's right to the name: another board may have taken its place.
  const auto node = auth::node_name_of(found->user);
  const auto& key = request.peer.certificate_key_sha256;
  if (!node.empty() && !key.empty() && !may_be_node(context.services, node, key)) {
    return api::unauthorized_error();
  }
  context.user = std::move(found->user);
  for (auto& warning : found->warnings) context.warnings.push_back(std::move(warning));
  // Nothing further down needs the secret.
  context.request.headers.remove("Authorization");
  return api::Done{};
}

}  // namespace skiff::apiserver
