// SHA-256 (FIPS 180-4), for content digests.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace skiff::runtime {

// Thread-compatible.
class Sha256 {
 public:
  void update(std::string_view bytes);
  // Lower-case hex; the object is used up.
  std::string finish_hex();

 private:
  void compress(const unsigned char* blocks, std::size_t count);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> buffer_{};
  std::size_t buffered_ = 0;
  std::uint64_t total_bytes_ = 0;
};

std::string sha256_hex(std::string_view bytes);
// "sha256:" and the hex.
std::string sha256_digest(std::string_view bytes);

}  // namespace skiff::runtime
