#include <skiff/auth/service_account_token.h>
#include <skiff/base/strings.h>
#include <skiff/codec/json.h>

#include <algorithm>
#include <mutex>

#include "auth/limits.h"
#include "auth/tokens/plan_token_check.h"
#include "auth/tokens/token_content.h"
#include "auth/tokens/token_keys.h"
#include "auth/tokens/verified_tokens.h"

namespace skiff::auth {

using codec::Json;

namespace {

base::Status refuse(std::string message) {
  return base::Status(base::Code::unauthenticated, std::move(message));
}

Json reference(std::string_view name, std::string_view uid) {
  Json object = Json::object({{"name", name}});
  if (!uid.empty()) object.set("uid", uid);
  return object;
}

Json kubernetes_claim(const TokenClaims& claims, std::int64_t now) {
  Json result = Json::object({{"namespace", claims.namespace_name}});
  const auto& bound = claims.bound;
  if (bound.kind == "Node") result.set("node", reference(bound.name, bound.uid));
  if (bound.kind == "Pod") {
    if (!claims.node_name.empty()) result.set("node", reference(claims.node_name, claims.node_uid));
    result.set("pod", reference(bound.name, bound.uid));
  }
  if (bound.kind == "Secret") result.set("secret", reference(bound.name, bound.uid));
  result.set("serviceaccount", reference(claims.service_account, claims.service_account_uid));
  if (claims.warn_after_seconds != 0) {
    result.set("warnafter", Json(now + claims.warn_after_seconds));
  }
  return result;
}

std::string subject_of(std::string_view namespace_name, std::string_view account) {
  return base::concat("system:serviceaccount:", namespace_name, ":", account);
}

// Thread-safe.
class Tokens final : public ServiceAccountTokens {
 public:
  Tokens(TokenOptions options, std::shared_ptr<const TokenKeyRing> keys)
      : options_(std::move(options)), audiences_{options_.issuer}, keys_(std::move(keys)) {}

  base::Result<IssuedToken> issue(const TokenClaims& claims) const override {
    const auto now = options_.clock->now().unix_seconds();
    const auto lifetime =
        std::clamp(claims.expiration_seconds, kTokenLifetimeSecondsMin, kTokenLifetimeSecondsMax);
    IssuedToken issued;
    issued.expires = base::WallTime::from_unix_seconds(now + lifetime);
    Json audiences = Json::array();
    for (const auto& audience : claims.audiences) audiences.push_back(audience);
    Json payload =
        Json::object({{"aud", std::move(audiences)},
                      {"exp", now + lifetime},
                      {"iat", now},
                      {"iss", options_.issuer},
                      {"jti", base::make_uuid(*options_.random)},
                      {"kubernetes.io", kubernetes_claim(claims, now)},
                      {"nbf", now},
                      {"sub", subject_of(claims.namespace_name, claims.service_account)}});
    SKIFF_ASSIGN_OR_RETURN(issued.token, keys()->signer().sign(codec::write_json(payload)));
    return issued;
  }

  base::Result<std::string> issue_legacy(const LegacyTokenSubject& subject) const override {
    Json payload = Json::object(
        {{"iss", kLegacyIssuer},
         {"kubernetes.io/serviceaccount/namespace", subject.namespace_name},
         {"kubernetes.io/serviceaccount/secret.name", subject.secret},
         {"kubernetes.io/serviceaccount/service-account.name", subject.service_account},
         {"kubernetes.io/serviceaccount/service-account.uid", subject.service_account_uid},
         {"sub", subject_of(subject.namespace_name, subject.service_account)}});
    return keys()->signer().sign(codec::write_json(payload));
  }

  base::Result<std::optional<Authenticated>> authenticate_token(
      std::string_view token, const std::vector<std::string>& wanted) const override {
    std::string digest = pki::sha256_hex(token);
    auto content = verified_.find(digest);
    if (content == nullptr || !keys()->has_key(content->key_id)) {
      auto issuer = claimed_issuer(token);
      if (!issuer || (*issuer != options_.issuer && *issuer != kLegacyIssuer)) {
        return std::optional<Authenticated>();
      }
      SKIFF_ASSIGN_OR_RETURN(content, verify(token));
    }
    SKIFF_ASSIGN_OR_RETURN(auto audiences, check_audiences(*content, wanted, audiences_));
    const auto now = options_.clock->now();
    auto check = content->is_legacy()
                     ? check_legacy_token(*content, token, *options_.reader, now)
                     : check_bound_token(*content, *options_.reader, {now, time_of(*content, now)});
    if (!check.unused_secret_uid.empty() && options_.on_legacy_use) {
      options_.on_legacy_use({content->namespace_name, content->secret->name,
                              std::move(check.unused_secret_uid), day_of(now)});
    }
    if (!check.status.is_ok()) {
      if (check.gone) verified_.erase(digest);
      return check.status;
    }
    Authenticated result{content->user, std::move(audiences), std::move(check.warnings)};
    verified_.add(std::move(digest), std::move(content));
    return std::optional<Authenticated>(std::move(result));
  }

  base::Status replace_keys(const TokenKeys& wanted) override {
    SKIFF_ASSIGN_OR_RETURN(auto fresh, TokenKeyRing::make(wanted));
    std::lock_guard lock(mutex_);
    keys_ = std::move(fresh);
    return {};
  }

  std::string key_set() const override { return keys()->key_set(); }
  std::string_view issuer() const override { return options_.issuer; }

 private:
  std::shared_ptr<const TokenKeyRing> keys() const {
    std::lock_guard lock(mutex_);
    return keys_;
  }

  // When it is for the token: a clock that jumps makes it neither older nor younger.
  base::WallTime time_of(const TokenContent& content, base::WallTime now) const {
    if (!options_.age_of || !content.issued_at) return now;
    const auto issued = base::WallTime::from_unix_seconds(*content.issued_at);
    return issued + options_.age_of(issued);
  }

  base::Result<VerifiedTokens::Content> verify(std::string_view token) const {
    const auto ring = keys();
    const auto* verifier = ring->find(token);
    if (verifier == nullptr) return refuse("invalid signature, no keys found");
    auto text = verifier->verify(token);
    if (!text.is_ok()) return refuse("go-jose/go-jose: error in cryptographic primitive");
    auto content = parse_claims(*text);
    if (!content) return refuse("service account token claims could not be validated");
    content->key_id = verifier->key_id();
    return std::make_shared<const TokenContent>(std::move(*content));
  }

  const TokenOptions options_;
  const std::vector<std::string> audiences_;  // of this API
  mutable VerifiedTokens verified_;
  mutable std::mutex mutex_;
  std::shared_ptr<const TokenKeyRing> keys_;  // under mutex_
};

}  // namespace

base::Result<std::unique_ptr<ServiceAccountTokens>> make_service_account_tokens(
    TokenOptions options) {
  SKIFF_ASSERT(options.clock != nullptr && options.random != nullptr);
  SKIFF_ASSERT(options.reader != nullptr);
  SKIFF_ASSIGN_OR_RETURN(auto keys, TokenKeyRing::make(options.keys));
  return std::unique_ptr<ServiceAccountTokens>(
      std::make_unique<Tokens>(std::move(options), std::move(keys)));
}

}  // namespace skiff::auth
