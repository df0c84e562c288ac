#include "auth/tokens/plan_token_check.h"

#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/codec/json.h>
#include <skiff/pki/token.h>

#include <algorithm>

#include "auth/limits.h"

namespace skiff::auth {

namespace {

constexpr std::string_view kInvalidated = "service account token has been invalidated";
constexpr std::string_view kLegacyInvalidated = "Token has been invalidated";
constexpr std::string_view kLastUsedLabel = "kubernetes.io/legacy-token-last-used";
constexpr std::string_view kInvalidSinceLabel = "kubernetes.io/legacy-token-invalid-since";
constexpr std::chrono::hours kDay{24};

base::Status refuse(std::string message) {
  return base::Status(base::Code::unauthenticated, std::move(message));
}

TokenCheck refused(std::string message, bool gone = false) {
  return {refuse(std::move(message)), gone, {}, {}};
}

// Go's %q of a list of texts.
std::string quoted(const std::vector<std::string>& texts) {
  std::vector<std::string> parts;
  for (const auto& text : texts) parts.push_back(base::quote(text));
  return base::concat("[", base::join(parts, " "), "]");
}

base::Status check_time(const TokenContent& content, base::WallTime now) {
  const auto seconds = now.unix_seconds();
  if (content.not_before && seconds + kTokenLeewaySeconds < *content.not_before) {
    return refuse("service account token is not valid yet");
  }
  if (!content.expiry || seconds - kTokenLeewaySeconds > *content.expiry) {
    return refuse("service account token has expired");
  }
  if (content.issued_at && seconds + kTokenLeewaySeconds < *content.issued_at) {
    return refuse("service account token is issued in the future");
  }
  return {};
}

// deletionTimestamp is when the grace of a deletion ends.
bool is_deleted(const api::StoredObject& object, base::WallTime before) {
  auto deleted = api::scan_string(object.text(), {"metadata", "deletionTimestamp"});
  if (!deleted) return false;
  auto end = base::parse_rfc3339(*deleted);
  return !end.is_ok() || *end < before;
}

struct Bound {
  const std::optional<ObjectClaim>& claim;
  std::string_view resource, kind;
};

TokenCheck check_object(const Bound& bound, std::string_view namespace_name,
                        const ObjectReader& reader, base::WallTime deleted_before) {
  auto object = reader.get("", bound.resource, namespace_name, bound.claim->name);
  if (object.empty()) return refused(std::string(kInvalidated), true);
  if (object.uid() != bound.claim->uid) {
    return refused(
        base::concat(bound.kind, " UID (", object.uid(), ") does not match service account ",
                     bound.kind, " ref claim (", bound.claim->uid, ")"),
        true);
  }
  if (is_deleted(object, deleted_before)) return refused(std::string(kInvalidated), true);
  return {};
}

TokenCheck check_account(const TokenContent& content, const ObjectReader& reader,
                         base::WallTime deleted_before) {
  const auto& [name, uid] = content.account;
  auto account = reader.get("", "serviceaccounts", content.namespace_name, name);
  if (account.empty()) {
    return refused(base::concat("serviceaccounts ", base::quote(name), " not found"), true);
  }
  if (account.uid() != uid) {
    return refused(
        base::concat("service account UID (", account.uid(), ") does not match claim (", uid, ")"),
        true);
  }
  if (is_deleted(account, deleted_before)) {
    return refused(
        base::concat("service account ", content.namespace_name, "/", name, " has been deleted"),
        true);
  }
  return {};
}

base::Status check_legacy_claims(const TokenContent& content) {
  if (content.subject.empty()) return refuse("sub claim is missing");
  if (content.namespace_name.empty()) return refuse("namespace claim is missing");
  if (content.secret->name.empty()) return refuse("secretName claim is missing");
  if (content.account.name.empty()) return refuse("serviceAccountName claim is missing");
  if (content.account.uid.empty()) return refuse("serviceAccountUID claim is missing");
  if (content.subject != content.user.name) return refuse("sub claim is invalid");
  return {};
}

bool refers_to(const api::StoredObject& account, std::string_view secret) {
  if (account.text().find("\"secrets\"") == std::string_view::npos) return false;
  auto tree = account.parse();
  if (!tree.is_ok()) return false;
  const codec::Json parsed = std::move(*tree);
  const auto& secrets = parsed["secrets"].items();
  return std::any_of(secrets.begin(), secrets.end(),
                     [&](const codec::Json& one) { return one["name"].as_string() == secret; });
}

}  // namespace

std::string day_of(base::WallTime time) {
  return base::format_rfc3339(time).substr(0, std::string_view("2006-01-02").size());
}

base::Result<std::vector<std::string>> check_audiences(const TokenContent& content,
                                                       const std::vector<std::string>& wanted,
                                                       const std::vector<std::string>& own) {
  const auto& meant = content.audiences.empty() ? own : content.audiences;
  std::vector<std::string> both;
  for (const auto& audience : meant) {
    if (std::find(wanted.begin(), wanted.end(), audience) != wanted.end()) both.push_back(audience);
  }
  if (!both.empty()) return both;
  return refuse(base::concat("token audiences ", quoted(meant),
                             " is invalid for the target audiences ", quoted(wanted)));
}

TokenCheck check_bound_token(const TokenContent& content, const ObjectReader& reader,
                             TokenTimes times) {
  if (auto time = check_time(content, times.of_token); !time.is_ok())
    return {std::move(time), false, {}, {}};
  const auto deleted_before = times.now - std::chrono::seconds(kTokenLeewaySeconds);
  auto account = check_account(content, reader, deleted_before);
  if (!account.status.is_ok()) return account;
  if (content.secret) {
    auto check = check_object({content.secret, "secrets", "secret"}, content.namespace_name, reader,
                              deleted_before);
    if (!check.status.is_ok()) return check;
  }
  if (content.pod) {
    return check_object({content.pod, "pods", "pod"}, content.namespace_name, reader,
                        deleted_before);
  }
  // Beside a pod the node is there for information.
  if (content.node)
    return check_object({content.node, "nodes", "node"}, {}, reader, deleted_before);
  return {};
}

TokenCheck check_legacy_token(const TokenContent& content, std::string_view token,
                              const ObjectReader& reader, base::WallTime now) {
  if (auto claims = check_legacy_claims(content); !claims.is_ok()) {
    return {std::move(claims), false, {}, {}};
  }
  const auto& where = content.namespace_name;
  const auto& [name, uid] = content.account;
  auto secret = reader.get("", "secrets", where, content.secret->name);
  if (secret.empty()) return refused(std::string(kLegacyInvalidated), true);
  const auto text = secret.text();
  if (api::scan_string(text, {"metadata", "deletionTimestamp"})) {
    return refused(std::string(kLegacyInvalidated), true);
  }
  auto copy = codec::base64_decode(api::scan_string(text, {"data", "token"}).value_or(""));
  if (!copy.is_ok() || !pki::equal_in_constant_time(*copy, token)) {
    return refused("Token does not match server's copy", true);
  }
  auto account = reader.get("", "serviceaccounts", where, name);
  if (account.empty()) {
    return refused(base::concat("serviceaccounts ", base::quote(name), " not found"), true);
  }
  if (api::scan_string(account.text(), {"metadata", "deletionTimestamp"})) {
    return refused(base::concat("ServiceAccount ", where, "/", name, " has been deleted"), true);
  }
  if (account.uid() != uid) {
    return refused(
        base::concat("ServiceAccount UID (", account.uid(), ") does not match claim (", uid, ")"),
        true);
  }
  TokenCheck check;
  const auto used = api::scan_string(text, {"metadata", "labels", kLastUsedLabel}).value_or("");
  if (used != day_of(now) && used != day_of(now + kDay)) check.unused_secret_uid = secret.uid();
  auto since = api::scan_string(text, {"metadata", "labels", kInvalidSinceLabel});
  if (since && !since->empty()) {
    check.status = refuse(base::concat(
        "the token in secret ", where, "/", content.secret->name, " for service account ", where,
        "/", name,
        " has been marked invalid. Use tokens from the TokenRequest API or manually created "
        "secret-based tokens, or remove the '",
        kInvalidSinceLabel, "' label from the secret to temporarily allow use of this token"));
    return check;
  }
  if (refers_to(account, content.secret->name)) {
    check.warnings.emplace_back(
        "Use tokens from the TokenRequest API or manually created secret-based tokens instead of "
        "auto-generated secret-based tokens.");
  }
  return check;
}

}  // namespace skiff::auth
