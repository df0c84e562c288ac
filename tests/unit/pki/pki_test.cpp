#include <skiff/pki/authority.h>
#include <skiff/pki/seal.h>
#include <skiff/pki/token.h>

#include <catch2/catch.hpp>

using namespace skiff;
using namespace skiff::pki;
using namespace std::chrono_literals;

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

TEST_CASE("a request is signed as it asks, with usages and nothing of its own") {
  auto authority = make_test_authority();
  auto key = make_private_key();
  auto request = make_signing_request(
      {{"system:node:a", {"system:nodes"}}, {"a.example"}, {"10.0.0.1"}}, *key);
  REQUIRE(request);
  auto info = read_signing_request(*request);
  REQUIRE(info);
  CHECK(info->identity.dns_names == std::vector<std::string>{"a.example"});

  auto made = authority->sign_as_requested(
      *request, {{"digital signature", "key encipherment", "client auth"}, kNow - 5min, kNow + 1h});
  REQUIRE(made);
  auto certificate = inspect_certificate(*made);
  REQUIRE(certificate);
  CHECK(certificate->identity.subject.common_name == "system:node:a");
  CHECK(certificate->identity.ip_addresses == std::vector<std::string>{"10.0.0.1"});
  CHECK(certificate->for_client);
  CHECK_FALSE(certificate->for_server);
  CHECK_FALSE(certificate->is_authority);
  CHECK(certificate->not_before == kNow - 5min);
  CHECK(certificate->not_after == kNow + 1h);
  CHECK(certificate->public_key_fingerprint == info->public_key_fingerprint);
  CHECK(*certificate_matches_key(*made, *key));
  CHECK(verify_certificate(*made, authority->certificate_pem(), kNow).is_ok());

  auto odd = authority->sign_as_requested(*request, {{"client auth", "dance"}, kNow, kNow + 1h});
  CHECK(odd.status().message() == "unrecognized usage values: [\"dance\"]");
  auto late = authority->sign_as_requested(*request, {{"client auth"}, kNow, kNow + 100 * kYear});
  CHECK(inspect_certificate(*late)->not_after == authority->not_after());
}

TEST_CASE("requests that are none, or signed by another key, are refused in upstream's words") {
  auto why = [](std::string_view pem) {
    return std::string(read_signing_request(pem).status().message());
  };
  CHECK(why("") == "PEM block type must be CERTIFICATE REQUEST");
  CHECK(why(make_test_authority()->certificate_pem()) ==
        "PEM block type must be CERTIFICATE REQUEST");
  auto request = make_signing_request({{"a", {}}, {}, {}}, *make_private_key());
  REQUIRE(request);
  // The last digits before the end line belong to the signature.
  auto end = request->find("\n-----END");
  std::string forged = *request;
  forged[end - 6] = forged[end - 6] == 'A' ? 'B' : 'A';
  CHECK_FALSE(read_signing_request(forged).is_ok());
  CHECK(why_no_certificates("").find("at least one") != std::string::npos);
  CHECK(why_no_certificates(make_test_authority()->certificate_pem()).empty());
  CHECK(why_no_certificates(*request) ==
        "only CERTIFICATE PEM blocks are allowed, found \"CERTIFICATE REQUEST\"");
}

TEST_CASE("who trusts only the old authority believes what the new one signs") {
  auto old_one = make_test_authority();
  auto pair = make_authority("new-ca", kNow, 10 * kYear);
  REQUIRE(pair);
  auto cross = old_one->cross_sign(pair->certificate_pem);
  REQUIRE(cross);
  auto info = inspect_certificate(*cross);
  REQUIRE(info);
  CHECK(info->is_authority);
  CHECK(info->issuer_common_name == "test-ca");

  auto fresh = open_authority(*pair, *cross);
  REQUIRE(fresh);
  auto leaf = (*fresh)->issue({{{"a", {}}, {"a"}, {}}, false, true, kNow, kYear});
  REQUIRE(leaf);
  CHECK(verify_certificate(leaf->certificate_pem, old_one->certificate_pem(), kNow).is_ok());
  CHECK(verify_certificate(leaf->certificate_pem, pair->certificate_pem, kNow).is_ok());
  auto stranger = make_authority("old-ca", kNow, kYear);
  CHECK_FALSE(verify_certificate(leaf->certificate_pem, stranger->certificate_pem, kNow).is_ok());
}
