#include <skiff/auth/service_account_token.h>
#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>

#include "auth/limits.h"

namespace skiff::auth {

namespace {

constexpr std::string_view kWebSocketBearer = "base64url.bearer.authorization.k8s.io.";

User anonymous_user() {
  return {std::string(kAnonymousUser), {}, {std::string(kUnauthenticatedGroup)}, {}};
}

User certificate_user(const Credentials& credentials) {
  User user;
  user.name = credentials.certificate_common_name;
  if (credentials.certificate_organizations != nullptr) {
    user.groups = *credentials.certificate_organizations;
  }
  user.groups.emplace_back(kAuthenticatedGroup);
  user.extra.push_back({"authentication.kubernetes.io/credential-id",
                        {base::concat("X509SHA256=", credentials.certificate_fingerprint)}});
  return user;
}

// The token of "Bearer <token>"; empty for other schemes.
std::string_view bearer_of(std::string_view header) {
  auto space = header.find(' ');
  if (space == header.npos || !base::equals_ignore_case(header.substr(0, space), "Bearer")) {
    return {};
  }
  return base::trim(header.substr(space + 1));
}

// Browsers cannot set headers: the token comes as a subprotocol there.
base::Result<std::string> websocket_token(std::string_view protocols) {
  for (auto protocol : base::split(protocols, ',')) {
    protocol = base::trim(protocol);
    if (!base::starts_with(protocol, kWebSocketBearer)) continue;
    return codec::base64url_decode(protocol.substr(kWebSocketBearer.size()));
  }
  return std::string();
}

// Immutable.
class ChainAuthenticator final : public Authenticator {
 public:
  explicit ChainAuthenticator(const ServiceAccountTokens& tokens) : tokens_(tokens) {}

  base::Result<User> authenticate(const Credentials& credentials) const override {
    if (!credentials.certificate_common_name.empty()) return certificate_user(credentials);
    std::string token(bearer_of(credentials.authorization_header));
    if (token.empty() && !credentials.websocket_protocols.empty()) {
      SKIFF_ASSIGN_OR_RETURN(token, websocket_token(credentials.websocket_protocols));
    }
    if (token.empty()) return anonymous_user();
    if (token.size() > kTokenBytesMax) {
      return base::Status(base::Code::unauthenticated, "the token is too long");
    }
    auto user = tokens_.verify(token, {std::string(tokens_.issuer())});
    if (!user.is_ok()) {
      base::log_debug("a bearer token was refused", {{"reason", user.status().message()}});
    }
    return user;
  }

 private:
  const ServiceAccountTokens& tokens_;
};

}  // namespace

std::unique_ptr<Authenticator> make_authenticator(const ServiceAccountTokens& tokens) {
  return std::make_unique<ChainAuthenticator>(tokens);
}

}  // namespace skiff::auth
