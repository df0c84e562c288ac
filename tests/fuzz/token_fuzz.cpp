// Bearer tokens from outside: the first byte says as what the rest is read. Nobody gets in without
// a token that we have signed; claims that we have signed may say anything.
#include <skiff/auth/bootstrap_token.h>
#include <skiff/auth/service_account_token.h>
#include <skiff/pki/certificate.h>
#include <skiff/pki/token.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "auth/tokens/token_content.h"
#include "unit/auth/fake_objects.h"

using namespace skiff;

namespace {

const std::string kIssuer = "https://kubernetes.default.svc.cluster.local";
class FixedClock final : public base::Clock {
 public:
  base::WallTime now() const override { return base::WallTime::from_unix_seconds(1'800'000'000); }
  base::MonotonicTime monotonic() const override { return {}; }
};

struct Server {
  FixedClock clock;
  test::FakeObjects objects;
  std::unique_ptr<base::Random> random = base::seeded_random(1);
  std::unique_ptr<pki::TokenSigner> signer;
  std::unique_ptr<auth::ServiceAccountTokens> tokens;
  std::unique_ptr<auth::TokenAuthenticator> bootstrap;
  std::unique_ptr<auth::Authenticator> authenticator;
  std::string good;

  Server() {
    objects.put("serviceaccounts", R"({"metadata":{"name":"a","namespace":"n","uid":"u"}})");
    objects.put("pods", R"({"metadata":{"name":"p","namespace":"n","uid":"v"}})");
    objects.put("secrets", R"({"metadata":{"name":"bootstrap-token-abc123",
        "namespace":"kube-system","uid":"w"},"type":"bootstrap.kubernetes.io/token",
        "data":{"token-id":"YWJjMTIz","token-secret":"MDEyMzQ1Njc4OWFiY2RlZg=="}})");
    const std::string key = *pki::make_private_key();
    signer = std::move(*pki::make_token_signer(key));
    auth::TokenOptions options;
    options.keys.signing_key = key;
    options.issuer = kIssuer;
    options.clock = &clock;
    options.random = random.get();
    options.reader = &objects;
    tokens = std::move(*auth::make_service_account_tokens(std::move(options)));
    bootstrap = auth::make_bootstrap_tokens(objects, clock, {}, {kIssuer});
    authenticator = auth::make_authenticator({tokens.get(), bootstrap.get()}, {kIssuer});
    auth::TokenClaims claims;
    claims.namespace_name = "n";
    claims.service_account = "a";
    claims.service_account_uid = "u";
    claims.audiences = {kIssuer};
    good = tokens->issue(claims)->token;
  }
};

void expect(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Server server;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  auth::Credentials credentials;
  switch (data[0] % 5) {
    case 0: {
      auto found = server.authenticator->authenticate_token(text, {});
      expect(!found.is_ok());
      break;
    }
    case 1: credentials.authorization_header = text; break;
    case 2: credentials.websocket_protocols = text; break;
    case 3: {
      // The good token with another end: a signature of something else.
      std::string token = server.good.substr(0, server.good.size() - text.size() % 100);
      token += text;
      expect(token == server.good || !server.authenticator->authenticate_token(token, {}).is_ok());
      break;
    }
    default: {
      auto content = auth::parse_claims(text);
      auto token = server.signer->sign(text);
      expect(token.is_ok());
      auto found = server.tokens->authenticate_token(*token, {kIssuer});
      if (found.is_ok() && *found) expect(content && (*found)->user.uid == "u");
      break;
    }
  }
  if (credentials.authorization_header.empty() && credentials.websocket_protocols.empty()) return 0;
  auto found = server.authenticator->authenticate(credentials);
  if (found.is_ok()) expect(found->user.name == auth::kAnonymousUser);
  return 0;
}
