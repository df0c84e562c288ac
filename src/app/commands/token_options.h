// The flags of `skiff token`. Pure.
#pragma once

#include <skiff/base/clock.h>

#include "app/commands/command_list.h"

#include <optional>

namespace skiff::app {

struct TokenOptions {
  std::optional<base::Duration> ttl;  // none: for ever
  std::optional<std::int64_t> uses;   // none: as often as one likes
  std::string description, node_name;
  bool names_ca = true;
};
// Errors: invalid_argument with the flag.
base::Result<TokenOptions> token_options(const Invocation& invocation);

// "90s", "30m", "24h", "7d", several together, "0"; nullopt for ever.
base::Result<std::optional<base::Duration>> parse_ttl(std::string_view text);

}  // namespace skiff::app
