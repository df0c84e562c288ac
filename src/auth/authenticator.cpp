#include <skiff/auth/auth.h>
#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>

#include "auth/limits.h"

namespace skiff::auth {

namespace {

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

// What upstream's chain of authenticators says: the first of it never knows the token.
base::Status refused(std::string_view why) {
  constexpr std::string_view kUnknown = "invalid bearer token";
  return base::Status(
      base::Code::unauthenticated,
      why.empty() ? std::string(kUnknown) : base::concat("[", kUnknown, ", ", why, "]"));
}

// Immutable.
class ChainAuthenticator final : public Authenticator {
 public:
  ChainAuthenticator(std::vector<const TokenAuthenticator*> kinds,
                     std::vector<std::string> audiences)
      : kinds_(std::move(kinds)), audiences_(std::move(audiences)) {}

  base::Result<Authenticated> authenticate(const Credentials& credentials) const override {
    if (!credentials.certificate_common_name.empty()) {
      return Authenticated{certificate_user(credentials), {}, {}};
    }
    std::string token(bearer_of(credentials.authorization_header));
    if (token.empty() && !credentials.websocket_protocols.empty()) {
      SKIFF_ASSIGN_OR_RETURN(token, websocket_token(credentials.websocket_protocols));
    }
    if (token.empty() && !credentials.certificate_error.empty()) {
      base::log_debug("a client certificate was refused",
                      {{"reason", credentials.certificate_error}});
      return base::Status(base::Code::unauthenticated,
                          base::concat("x509: ", credentials.certificate_error));
    }
    if (token.empty()) return Authenticated{anonymous_user(), {}, {}};
    auto result = authenticate_token(token, {});
    if (!result.is_ok()) {
      base::log_debug("a bearer token was refused", {{"reason", result.status().message()}});
    }
    return result;
  }

  base::Result<Authenticated> authenticate_token(
      std::string_view token, const std::vector<std::string>& audiences) const override {
    if (token.size() > kTokenBytesMax) return refused({});
    const auto& wanted = audiences.empty() ? audiences_ : audiences;
    std::vector<std::string> reasons;
    for (const auto* kind : kinds_) {
      auto result = kind->authenticate_token(token, wanted);
      if (!result.is_ok()) {
        reasons.emplace_back(result.status().message());
      } else if (*result) {
        (*result)->user.groups.emplace_back(kAuthenticatedGroup);
        return std::move(**result);
      }
    }
    return refused(base::join(reasons, ", "));
  }

 private:
  const std::vector<const TokenAuthenticator*> kinds_;
  const std::vector<std::string> audiences_;
};

}  // namespace

std::unique_ptr<Authenticator> make_authenticator(std::vector<const TokenAuthenticator*> kinds,
                                                  std::vector<std::string> audiences) {
  return std::make_unique<ChainAuthenticator>(std::move(kinds), std::move(audiences));
}

}  // namespace skiff::auth
