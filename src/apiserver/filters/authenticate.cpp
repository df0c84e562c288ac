#include "apiserver/filters/filters.h"

namespace skiff::apiserver {

api::Outcome<> filter_authenticate(RequestContext& context) {
  const auto& request = context.request;
  auth::Credentials credentials;
  credentials.certificate_common_name = request.peer.certificate_common_name;
  credentials.certificate_organizations = &request.peer.certificate_organizations;
  credentials.certificate_fingerprint = request.peer.certificate_fingerprint;
  credentials.authorization_header = request.headers.get("Authorization");
  credentials.websocket_protocols = request.headers.get("Sec-WebSocket-Protocol");
  auto found = context.services.authenticator->authenticate(credentials);
  if (!found.is_ok()) return api::unauthorized_error();
  context.user = std::move(found->user);
  for (auto& warning : found->warnings) context.warnings.push_back(std::move(warning));
  // Nothing further down needs the secret.
  context.request.headers.remove("Authorization");
  return api::Done{};
}

}  // namespace skiff::apiserver
