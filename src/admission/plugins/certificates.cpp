#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/pki/certificate.h>

#include "admission/plugin.h"

#include <algorithm>

namespace skiff::admission {

using codec::Json;

namespace {

constexpr std::string_view kGroup = "certificates.k8s.io";
constexpr std::string_view kApiClientSigner = "kubernetes.io/kube-apiserver-client";

bool is_signing_request(const Attributes& a, Operation operation, std::string_view subresource) {
  return a.operation == operation && a.subresource == subresource && a.resource->group == kGroup &&
         a.resource->resource == "certificatesigningrequests";
}

api::ApiError refuse(const Attributes& a, std::string detail) {
  return api::forbidden_error(a.resource->group, a.resource->resource, a.name, detail);
}

// Whether the user has `verb` on the signer, or on all signers of its domain.
bool may(const auth::Authorizer& authorizer, const auth::User& user, std::string_view verb,
         std::string_view signer) {
  const std::string all = base::concat(signer.substr(0, signer.find('/')), "/*");
  for (std::string_view name : {signer, std::string_view(all)}) {
    auth::Attributes attributes;
    attributes.user = &user;
    attributes.verb = verb;
    attributes.is_resource = true;
    attributes.group = kGroup;
    attributes.version = "*";
    attributes.resource = "signers";
    attributes.name = name;
    if (authorizer.authorize(attributes).verdict == auth::Decision::Verdict::allow) return true;
  }
  return false;
}

// Who approves has `approve` on the signer. Immutable.
class CertificateApproval final : public Plugin {
 public:
  explicit CertificateApproval(const auth::Authorizer& authorizer) : authorizer_(authorizer) {}

  base::Task<api::Outcome<>> validate(const Attributes& a, const Json&,
                                      const Json& live) const override {
    if (!is_signing_request(a, Operation::update, "approval")) co_return api::Done{};
    auto signer = live["spec"]["signerName"].as_string();
    if (may(authorizer_, *a.user, "approve", signer)) co_return api::Done{};
    co_return refuse(a, base::concat("user not permitted to approve requests with signerName ",
                                     base::quote(signer)));
  }

 private:
  const auth::Authorizer& authorizer_;
};

bool differ(const Json& a, const Json& b) { return a != b && !(a.empty() && b.empty()); }

// Who writes certificates or conditions has `sign` on the signer. Immutable.
class CertificateSigning final : public Plugin {
 public:
  explicit CertificateSigning(const auth::Authorizer& authorizer) : authorizer_(authorizer) {}

  base::Task<api::Outcome<>> validate(const Attributes& a, const Json& object,
                                      const Json& live) const override {
    if (!is_signing_request(a, Operation::update, "status")) co_return api::Done{};
    const Json& now = object["status"];
    const Json& before = live["status"];
    if (!differ(now["certificate"], before["certificate"]) &&
        !differ(now["conditions"], before["conditions"]))
      co_return api::Done{};
    auto signer = live["spec"]["signerName"].as_string();
    if (may(authorizer_, *a.user, "sign", signer)) co_return api::Done{};
    co_return refuse(a, base::concat("user not permitted to sign requests with signerName ",
                                     base::quote(signer)));
  }

 private:
  const auth::Authorizer& authorizer_;
};

// Nobody asks for a certificate of system:masters. Immutable.
class CertificateSubjectRestriction final : public Plugin {
 public:
  base::Task<api::Outcome<>> validate(const Attributes& a, const Json& object,
                                      const Json&) const override {
    if (!is_signing_request(a, Operation::create, "")) co_return api::Done{};
    const Json& spec = object["spec"];
    if (spec["signerName"].as_string() != kApiClientSigner) co_return api::Done{};
    auto pem = codec::base64_decode(spec["request"].as_string());
    auto request = pki::read_signing_request(pem ? *pem : std::string());
    if (!request)
      co_return refuse(a, base::concat("failed to parse CSR: ", request.status().message()));
    const auto& groups = request->identity.subject.organizations;
    if (std::find(groups.begin(), groups.end(), auth::kMastersGroup) == groups.end())
      co_return api::Done{};
    co_return refuse(a, base::concat("use of ", kApiClientSigner,
                                     " signer with system:masters group is not allowed"));
  }
};

}  // namespace

std::unique_ptr<Plugin> make_certificate_approval(const Options& options) {
  return std::make_unique<CertificateApproval>(*options.authorizer);
}
std::unique_ptr<Plugin> make_certificate_signing(const Options& options) {
  return std::make_unique<CertificateSigning>(*options.authorizer);
}
std::unique_ptr<Plugin> make_certificate_subject_restriction() {
  return std::make_unique<CertificateSubjectRestriction>();
}

}  // namespace skiff::admission
