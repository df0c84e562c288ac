// The URL alphabet of base64 without padding (RFC 7515), by OpenSSL. Private to this module, which
// stands below codec.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace skiff::pki {

std::string to_base64url(std::string_view bytes);
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace skiff::pki
