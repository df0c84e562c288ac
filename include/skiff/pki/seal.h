// Sealing of bytes at rest: AES-256-GCM with a random nonce.
#pragma once

#include <skiff/base/result.h>

#include <string>
#include <string_view>

namespace skiff::pki {

inline constexpr std::size_t kSealKeyBytes = 32;

std::string make_seal_key();
// `context` is authenticated, not stored: the same must be given to unseal (an object's key, so
// that sealed values cannot be swapped). REQUIRES: a key of kSealKeyBytes.
std::string seal(std::string_view key, std::string_view context, std::string_view plain);
// Errors: data_loss when the bytes, the key or the context are not those of seal().
base::Result<std::string> unseal(std::string_view key, std::string_view context,
                                 std::string_view sealed);

}  // namespace skiff::pki
