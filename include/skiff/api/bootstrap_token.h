// What a Secret of type bootstrap.kubernetes.io/token says.
#pragma once

#include <skiff/base/age.h>
#include <skiff/codec/json.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::api {

inline constexpr std::string_view kBootstrapTokenType = "bootstrap.kubernetes.io/token";
inline constexpr std::string_view kBootstrapTokenNamespace = "kube-system";
inline constexpr std::string_view kBootstrapTokenPrefix = "bootstrap-token-";  // of the name

struct BootstrapToken {
  std::string_view id, secret;
};
// Reads "<id>.<secret>": 6 and 16 of a-z and 0-9; views into `text`.
std::optional<BootstrapToken> parse_bootstrap_token(std::string_view text);

// A value of the Secret's data, decoded; empty when it is absent or not base64.
std::string bootstrap_token_value(const codec::Json& secret, std::string_view key);

// How long the token has yet: what is left of the time between the creation of its Secret and its
// end, in time that really passes; without a creation or `age_of` by the clock. Zero or less when
// that is over, also when the end cannot be read; nullopt for ever.
std::optional<base::Duration> bootstrap_token_rest(const codec::Json& secret, base::WallTime now,
                                                   const base::AgeOf& age_of);

// system:bootstrappers and the Secret's own, sorted; nullopt when one of them is not allowed.
std::optional<std::vector<std::string>> bootstrap_token_groups(const codec::Json& secret);

}  // namespace skiff::api
