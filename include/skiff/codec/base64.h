// Base64, RFC 4648.
#pragma once

#include <skiff/base/result.h>

#include <string>
#include <string_view>

namespace skiff::codec {

// Standard alphabet with padding (Secret.data).
std::string base64_encode(std::string_view bytes);
// Strict: padding required, no stray bits; '\r' and '\n' are skipped, as Go does.
base::Result<std::string> base64_decode(std::string_view text);
// URL alphabet without padding (JWT, RFC 7515).
std::string base64url_encode(std::string_view bytes);
base::Result<std::string> base64url_decode(std::string_view text);

}  // namespace skiff::codec
