#include <skiff/base/random.h>

#include <skiff/base/assert.h>

#include <mutex>
#include <string_view>

#include <sys/random.h>

namespace skiff::base {

std::uint64_t Random::below(std::uint64_t bound) {
  SKIFF_ASSERT(bound > 0);
  // Rejects the tail that would make low values likelier.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t value = next();
  while (value >= limit) value = next();
  return value % bound;
}

double Random::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

namespace {

class SecureRandom final : public Random {
 public:
  std::uint64_t next() override {
    std::uint64_t value = 0;
    ssize_t n = 0;
    do {
      n = getrandom(&value, sizeof value, 0);
    } while (n < 0);
    SKIFF_ASSERT(n == sizeof value);
    return value;
  }
};

// splitmix64: one word of state, and every seed gives a full-period sequence.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override {
    std::lock_guard lock(mutex_);
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

 private:
  std::mutex mutex_;
  std::uint64_t state_;
};

}  // namespace

Random& secure_random() {
  static SecureRandom random;
  return random;
}

std::unique_ptr<Random> seeded_random(std::uint64_t seed) {
  return std::make_unique<SeededRandom>(seed);
}

std::string make_uuid(Random& random) {
  std::uint64_t high = (random.next() & ~0xf000ull) | 0x4000ull;
  std::uint64_t low = (random.next() & ~(3ull << 62)) | (2ull << 62);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (int nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) text.push_back('-');
    std::uint64_t half = nibble < 16 ? high : low;
    text.push_back(kHex[(half >> (60 - 4 * (nibble % 16))) & 15]);
  }
  return text;
}

std::string make_name_suffix(Random& random, std::size_t length) {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string text;
  for (std::size_t i = 0; i < length; ++i)
    text.push_back(kAlphabet[random.below(kAlphabet.size())]);
  return text;
}

}  // namespace skiff::base
