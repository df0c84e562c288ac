#include "app/commands/token_options.h"

#include <skiff/api/validation.h>
#include <skiff/base/strings.h>

#include "app/limits.h"

namespace skiff::app {

namespace {

constexpr std::string_view kDefaultTtl = "24h";

std::string_view option(const Invocation& invocation, std::string_view name) {
  auto found = invocation.options.find(name);
  return found == invocation.options.end() ? std::string_view() : std::string_view(found->second);
}

std::int64_t seconds_of(char unit) {
  switch (unit) {
    case 's': return 1;
    case 'm': return 60;
    case 'h': return 3600;
    case 'd': return 86400;
    default: return 0;
  }
}

}  // namespace

base::Result<std::optional<base::Duration>> parse_ttl(std::string_view text) {
  if (text == "0") return std::optional<base::Duration>();
  auto wrong = [&] {
    return base::invalid_argument(
        base::concat(base::quote(text), " is no time such as 90m, 24h or 7d, at most ten years"));
  };
  std::int64_t seconds = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = rest.find_first_not_of("0123456789");
    if (end == rest.npos || end == 0) return wrong();
    const auto number = base::parse_int(rest.substr(0, end));
    const auto unit = seconds_of(rest[end]);
    if (!number || unit == 0 || *number > kTokenTtlSecondsMax / unit) return wrong();
    seconds += *number * unit;
    if (seconds > kTokenTtlSecondsMax) return wrong();
    rest.remove_prefix(end + 1);
  }
  if (seconds == 0) return wrong();
  return std::optional<base::Duration>(std::chrono::seconds(seconds));
}

base::Result<TokenOptions> token_options(const Invocation& invocation) {
  TokenOptions options;
  auto ttl_text = option(invocation, "ttl");
  auto ttl = parse_ttl(ttl_text.empty() ? kDefaultTtl : ttl_text);
  if (!ttl) return ttl.status().with_context("ttl");
  options.ttl = *ttl;
  if (auto text = option(invocation, "uses"); !text.empty()) {
    auto number = base::parse_int(text);
    if (!number || *number < 1 || *number > kTokenUsesMax)
      return base::invalid_argument(
          base::concat("uses: ", base::quote(text), " is no number of 1-", kTokenUsesMax));
    options.uses = *number;
  }
  options.names_ca = !invocation.options.contains("no-ca-hash");
  options.description = option(invocation, "description");
  if (options.description.size() > kTokenDescriptionBytesMax)
    return base::invalid_argument(
        base::concat("description: has more than ", kTokenDescriptionBytesMax, " bytes"));
  options.node_name = option(invocation, "node-name");
  if (options.node_name.empty()) return options;
  if (auto problems = api::check_dns1123_subdomain(options.node_name); !problems.empty())
    return base::invalid_argument(
        base::concat("node-name: ", base::quote(options.node_name), ": ", problems.front()));
  return options;
}

}  // namespace skiff::app
