#include <skiff/api/bootstrap_token.h>
#include <skiff/auth/bootstrap_token.h>
#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/pki/token.h>

#include <algorithm>

namespace skiff::auth {

using codec::Json;

namespace {

// Why the Secret does not make somebody of the token; empty when it does.
std::string_view why_refused(const Json& secret, const api::BootstrapToken& token,
                             base::WallTime now, const base::AgeOf& age_of) {
  if (api::is_being_deleted(secret)) return "it is being deleted";
  if (secret["type"].as_string() != api::kBootstrapTokenType) return "it has another type";
  if (!pki::equal_in_constant_time(api::bootstrap_token_value(secret, "token-secret"),
                                   token.secret)) {
    return "the secret is wrong";
  }
  if (api::bootstrap_token_value(secret, "token-id") != token.id) return "the id is wrong";
  const auto rest = api::bootstrap_token_rest(secret, now, age_of);
  if (rest && rest->count() <= 0) return "it has expired";
  if (api::bootstrap_token_value(secret, "usage-bootstrap-authentication") != "true") {
    return "it is not for authentication";
  }
  return {};
}

// Immutable.
class BootstrapTokens final : public TokenAuthenticator {
 public:
  BootstrapTokens(const ObjectReader& reader, const base::Clock& clock, base::AgeOf age_of,
                  std::vector<std::string> audiences)
      : reader_(reader),
        clock_(clock),
        age_of_(std::move(age_of)),
        audiences_(std::move(audiences)) {}

  base::Result<std::optional<Authenticated>> authenticate_token(
      std::string_view text, const std::vector<std::string>& wanted) const override {
    std::optional<Authenticated> nobody;
    auto token = api::parse_bootstrap_token(text);
    if (!token) return nobody;
    // The tokens say nothing of audiences: they are for this API.
    std::vector<std::string> audiences;
    for (const auto& audience : audiences_) {
      if (std::find(wanted.begin(), wanted.end(), audience) != wanted.end()) {
        audiences.push_back(audience);
      }
    }
    if (audiences.empty()) return nobody;
    const auto name = base::concat(api::kBootstrapTokenPrefix, token->id);
    auto stored = reader_.get("", "secrets", api::kBootstrapTokenNamespace, name);
    if (stored.empty()) return nobody;
    auto tree = stored.parse();
    if (!tree.is_ok()) return nobody;
    const Json secret = std::move(*tree);
    auto why = why_refused(secret, *token, clock_.now(), age_of_);
    auto groups = api::bootstrap_token_groups(secret);
    if (why.empty() && !groups) why = "a group is not allowed";
    if (!why.empty()) {
      base::log_debug("a bootstrap token was refused", {{"secret", name}, {"reason", why}});
      return nobody;
    }
    User user{base::concat("system:bootstrap:", token->id), {}, std::move(*groups), {}};
    return std::optional<Authenticated>({std::move(user), std::move(audiences), {}});
  }

 private:
  const ObjectReader& reader_;
  const base::Clock& clock_;
  const base::AgeOf age_of_;
  const std::vector<std::string> audiences_;
};

}  // namespace

std::unique_ptr<TokenAuthenticator> make_bootstrap_tokens(const ObjectReader& reader,
                                                          const base::Clock& clock,
                                                          base::AgeOf age_of,
                                                          std::vector<std::string> audiences) {
  return std::make_unique<BootstrapTokens>(reader, clock, std::move(age_of), std::move(audiences));
}

}  // namespace skiff::auth
