// What a token costs: the first time, with its signature, and each time after.
#include <skiff/auth/service_account_token.h>
#include <skiff/loop/loop.h>
#include <skiff/pki/certificate.h>

#include <cstdio>
#include <vector>

#include "fake_objects.h"

using namespace skiff;

namespace {

constexpr int kTokens = 500;  // fewer than are remembered
constexpr int kRounds = 200;

double microseconds(base::MonotonicTime since) {
  return std::chrono::duration<double, std::micro>(loop::real_clock().monotonic() - since).count();
}

}  // namespace

int main() {
  test::FakeObjects objects;
  objects.put("serviceaccounts", R"({"metadata":{"name":"a","namespace":"n","uid":"u"}})");
  objects.put("pods", R"({"metadata":{"name":"p","namespace":"n","uid":"v"}})");
  auth::TokenOptions options;
  options.keys.signing_key = *pki::make_private_key();
  options.issuer = "https://kubernetes.default.svc.cluster.local";
  options.clock = &loop::real_clock();
  options.random = &base::secure_random();
  options.reader = &objects;
  const std::vector<std::string> audiences{options.issuer};
  auto tokens = std::move(*auth::make_service_account_tokens(std::move(options)));
  auth::TokenClaims claims{"n", "a", "u", audiences, {"Pod", "p", "v"}, "node", "w"};

  std::vector<std::string> texts;
  auto start = loop::real_clock().monotonic();
  for (int i = 0; i < kTokens; ++i) texts.push_back(tokens->issue(claims)->token);
  const double issue = microseconds(start) / kTokens;
  int good = 0;
  auto round = [&] {
    for (const auto& text : texts) {
      auto found = tokens->authenticate_token(text, audiences);
      if (found.is_ok() && *found) ++good;
    }
  };
  start = loop::real_clock().monotonic();
  round();
  const double first = microseconds(start) / kTokens;
  start = loop::real_clock().monotonic();
  for (int i = 0; i < kRounds; ++i) round();
  const double again = microseconds(start) / kTokens / kRounds;
  std::printf("tokens: issue %.1f us, first use %.1f us, again %.1f us%s\n", issue, first, again,
              good == kTokens * (kRounds + 1) ? "" : "  WRONG ANSWER");
}
