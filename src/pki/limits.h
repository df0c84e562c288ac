// Every bound of this module.
#pragma once

#include <cstddef>

namespace skiff::pki {

inline constexpr std::size_t kPemBytesMax = 256u << 10;
inline constexpr std::size_t kTokenBytesMax = 16u << 10;
inline constexpr std::size_t kBundleBytesMax = 128u << 10;
inline constexpr std::size_t kBundleCertificatesMax = 32;
// Names in one certificate or signing request.
inline constexpr int kAlternativeNamesMax = 256;
inline constexpr int kSerialNumberBits = 127;

}  // namespace skiff::pki
