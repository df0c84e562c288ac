#include "auth/tokens/token_content.h"

#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/codec/json.h>

#include <utility>

#include "auth/limits.h"

namespace skiff::auth {

using codec::Json;

namespace {

// Absent reads as empty; false for a value of another type.
bool read_text(const Json& value, std::string& out) {
  out = value.as_string();
  return value.is_string() || value.is_null();
}

// A NumericDate: seconds, also as a fraction.
bool read_time(const Json& value, std::optional<std::int64_t>& out) {
  if (value.is_null()) return true;
  constexpr double kSecondsMax = 1e15;
  if (value.is_int()) {
    out = value.as_int();
  } else if (value.is_double() && value.as_double() >= 0 && value.as_double() < kSecondsMax) {
    out = static_cast<std::int64_t>(value.as_double());
  } else {
    return false;
  }
  return true;
}

// One text, or a list of texts.
bool read_texts(const Json& value, std::vector<std::string>& out) {
  if (value.is_string()) out.emplace_back(value.as_string());
  for (const auto& item : value.items()) {
    if (!item.is_string()) return false;
    out.emplace_back(item.as_string());
  }
  return value.is_string() || value.is_array() || value.is_null();
}

bool read_object(const Json& value, ObjectClaim& out) {
  return value.is_object() && read_text(value["name"], out.name) &&
         read_text(value["uid"], out.uid);
}

bool read_object(const Json& value, std::optional<ObjectClaim>& out) {
  if (value.is_null()) return true;
  return read_object(value, out.emplace());
}

bool read_bound(const Json& claims, TokenContent& content) {
  const Json& kubernetes = claims["kubernetes.io"];
  return read_text(kubernetes["namespace"], content.namespace_name) &&
         read_object(kubernetes["serviceaccount"], content.account) &&
         read_object(kubernetes["pod"], content.pod) &&
         read_object(kubernetes["secret"], content.secret) &&
         read_object(kubernetes["node"], content.node);
}

bool read_legacy(const Json& claims, TokenContent& content) {
  constexpr std::string_view kPrefix = "kubernetes.io/serviceaccount/";
  auto read = [&](std::string_view name, std::string& out) {
    return read_text(claims[base::concat(kPrefix, name)], out);
  };
  return read("namespace", content.namespace_name) &&
         read("service-account.name", content.account.name) &&
         read("service-account.uid", content.account.uid) &&
         read("secret.name", content.secret.emplace().name);
}

User user_of(const TokenContent& content) {
  User user;
  user.name =
      base::concat("system:serviceaccount:", content.namespace_name, ":", content.account.name);
  user.uid = content.account.uid;
  user.groups = {"system:serviceaccounts",
                 base::concat("system:serviceaccounts:", content.namespace_name)};
  auto add = [&](std::string_view key, std::string value) {
    if (value.empty()) return;
    user.extra.push_back({base::concat("authentication.kubernetes.io/", key), {std::move(value)}});
  };
  if (!content.id.empty()) add("credential-id", base::concat("JTI=", content.id));
  if (content.node && !content.node->name.empty()) {
    add("node-name", content.node->name);
    add("node-uid", content.node->uid);
  }
  if (content.pod && !content.pod->name.empty() && !content.pod->uid.empty()) {
    add("pod-name", content.pod->name);
    add("pod-uid", content.pod->uid);
  }
  return user;
}

}  // namespace

std::optional<std::string> claimed_issuer(std::string_view token) {
  if (token.size() > kTokenBytesMax) return std::nullopt;
  auto parts = base::split(token, '.');
  if (parts.size() != 3) return std::nullopt;
  auto payload = codec::base64url_decode(parts[1]);
  if (!payload.is_ok()) return std::nullopt;
  auto claims = codec::parse_json(*payload);
  if (!claims.is_ok() || !claims->is_object()) return std::nullopt;
  const Json& issuer = std::as_const(*claims)["iss"];
  if (!issuer.is_string()) return std::nullopt;
  return std::string(issuer.as_string());
}

std::optional<TokenContent> parse_claims(std::string_view claims_json) {
  auto parsed = codec::parse_json(claims_json);
  if (!parsed.is_ok() || !parsed->is_object()) return std::nullopt;
  const Json claims = std::move(*parsed);
  TokenContent content;
  const bool good =
      read_text(claims["iss"], content.issuer) && read_text(claims["sub"], content.subject) &&
      read_text(claims["jti"], content.id) && read_texts(claims["aud"], content.audiences) &&
      read_time(claims["exp"], content.expiry) && read_time(claims["nbf"], content.not_before) &&
      read_time(claims["iat"], content.issued_at) &&
      (content.is_legacy() ? read_legacy(claims, content) : read_bound(claims, content));
  if (!good) return std::nullopt;
  content.user = user_of(content);
  return content;
}

}  // namespace skiff::auth
