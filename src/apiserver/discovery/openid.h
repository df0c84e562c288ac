// How others learn to check tokens of ServiceAccounts: OpenID discovery and the public keys.
#pragma once

#include <string>
#include <string_view>

#include "apiserver/respond.h"

namespace skiff::apiserver {

inline constexpr std::string_view kOpenIdConfigurationPath = "/.well-known/openid-configuration";
inline constexpr std::string_view kKeySetPath = "/openid/v1/jwks";

// Where documents say that this master is: "address:port", by a name that is good on its own host
// while that has no address.
std::string advertised_authority(const Services& services);
http::Response openid_configuration(const RequestContext& context);
http::Response key_set(const RequestContext& context);

}  // namespace skiff::apiserver
