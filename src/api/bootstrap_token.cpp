#include <skiff/api/bootstrap_token.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>

#include <algorithm>
#include <set>

namespace skiff::api {

namespace {

constexpr std::size_t kIdBytes = 6, kSecretBytes = 16;
constexpr std::string_view kGroup = "system:bootstrappers";
constexpr std::string_view kGroupPrefix = "system:bootstrappers:";
constexpr std::size_t kGroupSuffixBytesMax = 256;

bool is_word_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_word(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_word_character);
}

// system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]
bool is_group(std::string_view name) {
  if (!base::starts_with(name, kGroupPrefix)) return false;
  const auto suffix = name.substr(kGroupPrefix.size());
  if (suffix.empty() || suffix.size() > kGroupSuffixBytesMax) return false;
  return is_word_character(suffix.back()) && std::all_of(suffix.begin(), suffix.end(), [](char c) {
           return is_word_character(c) || c == ':' || c == '-';
         });
}

}  // namespace

std::optional<BootstrapToken> parse_bootstrap_token(std::string_view text) {
  if (text.size() != kIdBytes + 1 + kSecretBytes || text[kIdBytes] != '.') return std::nullopt;
  BootstrapToken token{text.substr(0, kIdBytes), text.substr(kIdBytes + 1)};
  if (!is_word(token.id) || !is_word(token.secret)) return std::nullopt;
  return token;
}

std::string bootstrap_token_value(const codec::Json& secret, std::string_view key) {
  auto bytes = codec::base64_decode(secret["data"][key].as_string());
  return bytes.is_ok() ? std::move(*bytes) : std::string();
}

std::optional<base::Duration> bootstrap_token_rest(const codec::Json& secret, base::WallTime now,
                                                   const base::AgeOf& age_of) {
  const std::string text = bootstrap_token_value(secret, "expiration");
  if (text.empty()) return std::nullopt;
  const auto end = base::parse_rfc3339(text);
  if (!end) return base::Duration::zero();
  const auto made = base::parse_rfc3339(secret["metadata"]["creationTimestamp"].as_string());
  if (!age_of || !made || *made >= *end) return *end - now;
  return *end - *made - age_of(*made);
}

std::optional<std::vector<std::string>> bootstrap_token_groups(const codec::Json& secret) {
  std::set<std::string> groups{std::string(kGroup)};
  const std::string extra = bootstrap_token_value(secret, "auth-extra-groups");
  if (!extra.empty()) {
    for (auto group : base::split(extra, ',')) {
      if (!is_group(group)) return std::nullopt;
      groups.emplace(group);
    }
  }
  return std::vector<std::string>(groups.begin(), groups.end());
}

}  // namespace skiff::api
