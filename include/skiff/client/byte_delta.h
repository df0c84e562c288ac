// What is different between two versions of an object, as bytes: what both begin and end with is
// not said, nor what stands in between in both. Pure; the other side is not trusted.
#pragma once

#include <skiff/base/result.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace skiff::client {

// A sequence of steps, each three numbers (LEB128) and bytes:
//   offset in the base · bytes to copy from there · bytes that follow · these bytes
// The copies and the bytes one after the other are the target.
std::string make_delta(std::string_view base, std::string_view target);

// Errors: invalid_argument for steps that leave the base, or do not give exactly `size` bytes with
// this checksum.
base::Result<std::string> apply_delta(std::string_view base, std::string_view delta,
                                      std::size_t size, std::uint32_t checksum);

// Tells versions apart; no protection against somebody who wants two to look the same (FNV-1a, 64
// bits folded to 32).
std::uint32_t delta_checksum(std::string_view bytes);

}  // namespace skiff::client
