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

inline constexpr std::size_t kJoinTokenBytesMax = 512;
inline constexpr std::size_t kJoinTokenIdLengthMin = 6, kJoinTokenIdLengthMax = 32;
inline constexpr std::size_t kJoinTokenSecretLengthMin = 16, kJoinTokenSecretLengthMax = 128;
// Of a new token: hex digits of the id, random bytes of the secret.
inline constexpr std::size_t kJoinTokenIdBytes = 5, kJoinTokenSecretBytes = 16;
// The last uses that a token remembers, so that a board whose answer got lost may ask again.
inline constexpr std::size_t kJoinTokenUsesKept = 16;

}  // namespace skiff::auth
