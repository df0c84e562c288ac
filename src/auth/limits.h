// Every bound of authentication and authorization in one place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skiff::auth {

inline constexpr std::size_t kTokenBytesMax = 16u << 10;
// metav1 TokenRequest: ten minutes to 2^32 seconds.
inline constexpr std::int64_t kTokenLifetimeSecondsMin = 600;
inline constexpr std::int64_t kTokenLifetimeSecondsMax = std::int64_t{1} << 32;
// Clocks may be this far apart, and what is being deleted vouches for its token for this long after
// its grace has ended (upstream: one minute).
inline constexpr std::int64_t kTokenLeewaySeconds = 60;
// Tokens whose signature need not be verified again; about 1 KB each.
inline constexpr std::size_t kVerifiedTokensMax = 512;
// The key that signs, and those before it.
inline constexpr std::size_t kTokenKeysMax = 16;

// A role that is given away is compared verb by verb: what is past this many is refused.
inline constexpr std::size_t kEscalationAtomsMax = 100'000;
// Missing rules that a refusal lists.
inline constexpr std::size_t kMissingRulesMax = 1000;

}  // namespace skiff::auth
