// How others learn to check tokens of ServiceAccounts: OpenID discovery and the public keys.
#pragma once

#include <string_view>

#include "apiserver/respond.h"

namespace skiff::apiserver {

inline constexpr std::string_view kOpenIdConfigurationPath = "/.well-known/openid-configuration";
inline constexpr std::string_view kKeySetPath = "/openid/v1/jwks";

http::Response openid_configuration(const RequestContext& context);
http::Response key_set(const RequestContext& context);

}  // namespace skiff::apiserver
