// Certificates and signing requests of strangers, from PEM text to what the cluster's authority
// signs. The first byte says what the rest is: PEM text, or DER that is given a key and a signature
// here (a stranger may sign whatever he likes with his own key); and which signer is asked.
#include <skiff/api/kind.h>
#include <skiff/api/validation.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/pki/authority.h>

#include "controllers/certificates/plan_approval.h"
#include "controllers/certificates/plan_signing.h"
#include "controllers/certificates/signing_requests.h"
#include "pki/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <cstddef>
#include <cstdint>
#include <string>

using namespace skiff;
using codec::Json;

namespace {

const base::WallTime kNow = base::WallTime::from_unix_seconds(1'800'000'000);

struct Cluster {
  pki::Key stranger = std::move(*pki::generate_key());
  pki::KeyAndCertificate pair = *pki::make_authority("fuzz", kNow, std::chrono::hours(24 * 3650));
  std::unique_ptr<pki::Authority> authority = std::move(*pki::open_authority(pair));
  const api::ResourceInfo* resource =
      api::find_resource("certificates.k8s.io", "v1", "certificatesigningrequests");
  Json node = *codec::parse_json(R"({"metadata":{"name":"n1"},
      "status":{"addresses":[{"type":"InternalIP","address":"10.0.0.1"}]}})");
};

std::string pem_block(std::string_view type, std::string_view der) {
  return base::concat("-----BEGIN ", type, "-----\n", codec::base64_encode(der), "\n-----END ",
                      type, "-----\n");
}

std::string signed_request(std::string_view der, EVP_PKEY* key) {
  auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  pki::SigningRequest request(d2i_X509_REQ(nullptr, &bytes, static_cast<long>(der.size())));
  ERR_clear_error();
  if (!request || X509_REQ_set_pubkey(request.get(), key) != 1 ||
      X509_REQ_sign(request.get(), key, EVP_sha256()) == 0)
    return {};
  pki::Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(bio.get(), request.get());
  return pki::bio_text(bio.get());
}

// The object that carries the request; `choice` is the signer.
Json object_of(std::string_view pem, unsigned choice) {
  constexpr std::string_view kSigners[] = {controllers::kKubeletClientSigner,
                                           controllers::kKubeletServingSigner,
                                           controllers::kApiClientSigner, "example.com/other"};
  const bool serves = choice % 4 == 1;
  Json spec = Json::object();
  spec.set("request", codec::base64_encode(pem));
  spec.set("signerName", kSigners[choice % 4]);
  spec.set("usages", Json::array({"digital signature", serves ? "server auth" : "client auth"}));
  spec.set("username", "system:node:n1");
  spec.set("groups", Json::array({"system:nodes"}));
  Json csr = Json::object();
  csr.set("metadata", Json::object({{"name", "csr"}}));
  csr.set("spec", std::move(spec));
  return csr;
}

// What is signed is what was looked at: the names, the key, and no authority.
void check_certificate(const std::string& pem, const Cluster& cluster,
                       const pki::SigningRequestInfo& request, const pki::Identity& names) {
  auto info = pki::inspect_certificate(pem);
  SKIFF_ASSERT(info.is_ok() && !info->is_authority);
  SKIFF_ASSERT(info->public_key_fingerprint == request.public_key_fingerprint);
  SKIFF_ASSERT(info->identity.subject.common_name == names.subject.common_name);
  SKIFF_ASSERT(info->identity.subject.organizations == names.subject.organizations);
  SKIFF_ASSERT(info->identity.dns_names == names.dns_names);
  SKIFF_ASSERT(info->identity.ip_addresses == names.ip_addresses);
  (void)pki::verify_certificate(pem, cluster.authority->certificate_pem(), kNow);
}

void ask(const Cluster& cluster, const std::string& pem, unsigned choice) {
  const Json csr = object_of(pem, choice);
  const auto problems = api::validate_create(*cluster.resource, csr);
  const auto request = pki::read_signing_request(pem);
  SKIFF_ASSERT(problems.empty() == request.is_ok());
  if (!request) return;
  (void)controllers::approval_rules(csr, *request);
  if (controllers::is_own_serving_request(csr, *request, cluster.node, {}))
    for (const auto& name : request->identity.dns_names) SKIFF_ASSERT(name == "n1");
  const auto why_not = controllers::why_not_signed(csr, *request);
  if (why_not && why_not->empty()) {
    auto made = cluster.authority->sign_as_requested(pem, controllers::plan_certificate(csr, kNow));
    if (made) check_certificate(*made, cluster, *request, request->identity);
  }
  pki::CertificateRequest wanted;
  wanted.identity.subject = {"system:node:n1", {"system:nodes"}};
  wanted.for_client = true;
  wanted.now = kNow;
  auto made = cluster.authority->sign(pem, wanted);
  if (made) check_certificate(*made, cluster, *request, wanted.identity);
}

void read_certificates(const Cluster& cluster, const std::string& pem) {
  auto list = pki::split_certificates(pem);
  if (list)
    for (const auto& one : *list) SKIFF_ASSERT(pki::split_certificates(one)->size() == 1);
  (void)pki::inspect_certificate(pem);
  (void)pki::why_no_certificates(pem);
  (void)pki::verify_certificate(pem, cluster.authority->certificate_pem(), kNow);
  (void)pki::certificate_matches_key(pem, cluster.pair.key_pem);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Cluster cluster;
  if (size == 0 || size > 20'000) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const unsigned kind = data[0] % 4, choice = data[0] / 4;
  if (kind == 0) {
    ask(cluster, std::string(rest), choice);
    read_certificates(cluster, std::string(rest));
  } else if (kind == 1) {
    ask(cluster, pem_block("CERTIFICATE REQUEST", rest), choice);
  } else if (kind == 2) {
    read_certificates(cluster, pem_block("CERTIFICATE", rest));
  } else if (auto pem = signed_request(rest, cluster.stranger.get()); !pem.empty()) {
    ask(cluster, pem, choice);
  }
  return 0;
}
