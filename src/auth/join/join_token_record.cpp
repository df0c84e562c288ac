// The record of a join token as a Secret: every value is text, uses are "<name> <key>" lines.
#include <skiff/auth/join_token.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>

#include "auth/limits.h"

namespace skiff::auth {

using codec::Json;

namespace {

constexpr std::size_t kHashDigits = 64;

std::string read_text(const Json& secret, std::string_view key) {
  auto bytes = codec::base64_decode(secret["data"][key].as_string());
  return bytes ? std::move(*bytes) : std::string();
}

std::string uses_text(const std::vector<JoinTokenRecord::Use>& uses) {
  std::string text;
  for (const auto& use : uses) text += base::concat(use.node_name, " ", use.key_sha256, "\n");
  return text;
}

std::vector<JoinTokenRecord::Use> read_uses(std::string_view text) {
  std::vector<JoinTokenRecord::Use> uses;
  for (auto line : base::split(text, '\n')) {
    auto words = base::split(line, ' ');
    if (words.size() != 2 || uses.size() >= kJoinTokenUsesKept) continue;
    uses.push_back({std::string(words[0]), std::string(words[1])});
  }
  return uses;
}

}  // namespace

std::string join_token_secret_name(std::string_view id) { return base::concat("join-token-", id); }

Json join_token_secret(const JoinTokenRecord& record, Json live) {
  Json secret = std::move(live);
  secret.set("apiVersion", "v1");
  secret.set("kind", "Secret");
  secret.set("type", kJoinTokenSecretType);
  secret["metadata"].set("name", join_token_secret_name(record.id));
  secret["metadata"].set("namespace", kJoinTokenNamespace);
  Json data = Json::object();
  auto put = [&](std::string_view key, std::string_view text) {
    if (!text.empty()) data.set(key, codec::base64_encode(text));
  };
  put("id", record.id);
  put("secret-sha256", record.secret_sha256);
  put("proof-key", record.proof_key);
  if (record.issued) put("issued", base::format_rfc3339(*record.issued));
  if (record.expires) put("expiration", base::format_rfc3339(*record.expires));
  if (record.uses_left) put("uses-left", std::to_string(*record.uses_left));
  put("node-name", record.node_name);
  put("description", record.description);
  put("last-uses", uses_text(record.last_uses));
  secret.set("data", std::move(data));
  return secret;
}

base::Result<JoinTokenRecord> read_join_token_secret(const Json& secret) {
  if (secret["type"].as_string() != kJoinTokenSecretType)
    return base::invalid_argument("no join token");
  JoinTokenRecord record;
  record.id = read_text(secret, "id");
  record.secret_sha256 = read_text(secret, "secret-sha256");
  if (record.secret_sha256.size() != kHashDigits ||
      secret["metadata"]["name"].as_string() != join_token_secret_name(record.id))
    return base::invalid_argument("a damaged join token");
  record.proof_key = read_text(secret, "proof-key");
  if (!record.proof_key.empty() && record.proof_key.size() != kHashDigits)
    return base::invalid_argument("a damaged join token");
  // What cannot be read must not become "never" or "as often as one likes".
  if (auto time = base::parse_rfc3339(read_text(secret, "issued"))) record.issued = *time;
  if (auto text = read_text(secret, "expiration"); !text.empty()) {
    auto time = base::parse_rfc3339(text);
    record.expires = time ? *time : base::WallTime();
  }
  if (secret["data"].contains("uses-left"))
    record.uses_left = base::parse_int(read_text(secret, "uses-left")).value_or(0);
  record.node_name = read_text(secret, "node-name");
  record.description = read_text(secret, "description");
  record.last_uses = read_uses(read_text(secret, "last-uses"));
  return record;
}

}  // namespace skiff::auth
