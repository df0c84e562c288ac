// CRC-32C (Castagnoli), eight bytes at a time.
#pragma once

#include <cstdint>
#include <string_view>

namespace skiff::store {

// Continues from `seed`, the checksum of what came before (0 = nothing).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0) noexcept;

}  // namespace skiff::store
