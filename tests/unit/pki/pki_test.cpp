#include <skiff/pki/authority.h>
#include <skiff/pki/seal.h>
#include <skiff/pki/token.h>

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::pki;

namespace {

const base::WallTime kNow = base::WallTime::from_unix_seconds(1'800'000'000);
constexpr base::Duration kYear = std::chrono::hours(24 * 365);

std::unique_ptr<Authority> make_test_authority() {
  auto pair = make_authority("test-ca", kNow, 10 * kYear);
  REQUIRE(pair);
  auto authority = open_authority(*pair);
  REQUIRE(authority);
  return std::move(*authority);
}

}  // namespace

TEST_CASE("an issued certificate says what was asked for") {
  auto authority = make_test_authority();
  CertificateRequest request{{{"system:node:a", {"system:nodes", "x"}},
                              {"a.example", "kubernetes.default.svc"},
                              {"10.43.0.1", "fd00::1"}},
                             true,
                             true,
                             kNow,
                             kYear};
  auto made = authority->issue(request);
  REQUIRE(made);
  auto info = inspect_certificate(made->certificate_pem);
  REQUIRE(info);
  CHECK(info->identity.subject.common_name == "system:node:a");
  CHECK(info->identity.subject.organizations == std::vector<std::string>{"system:nodes", "x"});
  CHECK(info->identity.dns_names.size() == 2);
  CHECK(info->identity.ip_addresses == std::vector<std::string>{"10.43.0.1", "fd00::1"});
  CHECK(info->issuer_common_name == "test-ca");
  CHECK(info->for_client);
  CHECK(info->for_server);
  CHECK_FALSE(info->is_authority);
  CHECK(info->not_before < kNow);
  CHECK(info->not_after == kNow + kYear);
  CHECK(info->fingerprint.size() == 64);
  CHECK(*certificate_matches_key(made->certificate_pem, made->key_pem));
  CHECK(verify_certificate(made->certificate_pem, authority->certificate_pem(), kNow).is_ok());
  CHECK_FALSE(
      verify_certificate(made->certificate_pem, authority->certificate_pem(), kNow + 2 * kYear)
          .is_ok());
}

TEST_CASE("another authority's certificate is refused") {
  auto one = make_test_authority(), other = make_test_authority();
  auto made = other->issue({{{"x", {}}, {}, {}}, true, false, kNow, kYear});
  REQUIRE(made);
  CHECK_FALSE(verify_certificate(made->certificate_pem, one->certificate_pem(), kNow).is_ok());
  CHECK(verify_certificate(made->certificate_pem, one->certificate_pem() + other->certificate_pem(),
                           kNow)
            .is_ok());
}

TEST_CASE("a signing request gets its key certified, not its claims") {
  auto authority = make_test_authority();
  auto key = make_private_key();
  REQUIRE(key);
  auto request = make_signing_request({{"wanted", {"system:masters"}}, {"w.example"}, {}}, *key);
  REQUIRE(request);
  auto identity = inspect_signing_request(*request);
  REQUIRE(identity);
  CHECK(identity->subject.organizations == std::vector<std::string>{"system:masters"});
  CHECK(identity->dns_names == std::vector<std::string>{"w.example"});
  auto certificate = authority->sign(*request, {{{"given", {}}, {}, {}}, true, false, kNow, kYear});
  REQUIRE(certificate);
  auto info = inspect_certificate(*certificate);
  CHECK(info->identity.subject.common_name == "given");
  CHECK(info->identity.subject.organizations.empty());
  CHECK(*certificate_matches_key(*certificate, *key));
}

TEST_CASE("texts that are no keys or certificates are refused") {
  for (auto text : {"", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "x"}) {
    CHECK_FALSE(inspect_certificate(text).is_ok());
    CHECK_FALSE(inspect_signing_request(text).is_ok());
    CHECK_FALSE(public_key_of(text).is_ok());
    CHECK_FALSE(open_authority({text, text}).is_ok());
  }
  auto a = make_authority("a", kNow, kYear), b = make_authority("b", kNow, kYear);
  CHECK_FALSE(open_authority({a->key_pem, b->certificate_pem}).is_ok());
  auto leaf = make_test_authority()->issue({{{"x", {}}, {}, {}}, true, false, kNow, kYear});
  CHECK_FALSE(open_authority({leaf->key_pem, leaf->certificate_pem}).is_ok());
}

TEST_CASE("a token verifies with its key only, whole only") {
  auto key = make_private_key(), other = make_private_key();
  auto signer = make_token_signer(*key);
  REQUIRE(signer);
  auto token = (*signer)->sign(R"({"sub":"x"})");
  REQUIRE(token);
  auto verifier = make_token_verifier(*public_key_of(*key));
  REQUIRE(verifier);
  CHECK(*(*verifier)->verify(*token) == R"({"sub":"x"})");
  CHECK_FALSE((*make_token_verifier(*other))->verify(*token).is_ok());
  for (std::size_t i = 0; i < token->size(); ++i) {
    std::string changed = *token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CHECK_FALSE((*verifier)->verify(changed).is_ok());
  }
  CHECK_FALSE((*verifier)->verify("eyJhbGciOiJub25lIn0.e30.").is_ok());
  CHECK_FALSE((*verifier)->verify("").is_ok());
  CHECK_FALSE((*verifier)->verify(std::string(20'000, 'a')).is_ok());
}

TEST_CASE("sealed bytes open with the same key and place only") {
  std::string key = make_seal_key();
  std::string sealed = seal(key, "/secrets/a", "hunter2");
  CHECK(sealed.find("hunter2") == std::string::npos);
  CHECK(*unseal(key, "/secrets/a", sealed) == "hunter2");
  CHECK(*unseal(key, "c", seal(key, "c", "")) == "");
  CHECK(unseal(key, "/secrets/b", sealed).code() == base::Code::data_loss);
  CHECK_FALSE(unseal(make_seal_key(), "/secrets/a", sealed).is_ok());
  sealed[15] ^= 1;
  CHECK_FALSE(unseal(key, "/secrets/a", sealed).is_ok());
  CHECK_FALSE(unseal(key, "/secrets/a", "short").is_ok());
  CHECK(equal_in_constant_time("abc", "abc"));
  CHECK_FALSE(equal_in_constant_time("abc", "abd"));
  CHECK_FALSE(equal_in_constant_time("abc", "ab"));
}
