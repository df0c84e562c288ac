#include <skiff/codec/base64.h>

#include "controllers/certificates/plan_signing.h"
#include "controllers/certificates/signing_requests.h"
#include "controllers/list_of_controllers.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;

// Signs what is approved, for the signers of kubernetes.io that a cluster has. Keys are names of
// CertificateSigningRequests.
class SignerController final : public KeyedController {
 public:
  SignerController(Context& context, const pki::ClusterTrust& trust)
      : KeyedController(context), requests_(needs(kSigningRequests)), trust_(trust) {
    enqueue_on_change(kSigningRequests);
  }
  std::string_view name() const override { return "csrsigning"; }

 private:
  Task<Status> sync(std::string key) override {
    JsonPtr csr = context_.find(requests_, key);
    const bool waits = csr && has_condition(*csr, "Approved") && !has_condition(*csr, "Denied") &&
                       !has_condition(*csr, "Failed") && !is_issued(*csr);
    if (!waits) co_return Status::ok();
    auto pem = request_pem_of(*csr);
    if (!pem) co_return pem.status();
    auto request = pki::read_signing_request(*pem);
    if (!request) co_return request.status();
    auto why_not = why_not_signed(*csr, *request);
    if (!why_not) co_return Status::ok();
    Json object = *csr;
    if (why_not->empty()) {
      auto certificate =
          trust_.signer()->sign_as_requested(*pem, plan_certificate(*csr, context_.now()));
      if (!certificate) co_return certificate.status();
      object["status"].set("certificate", codec::base64_encode(*certificate));
    } else {
      object["status"]["conditions"].push_back(
          Json::object({{"type", "Failed"},
                        {"status", "True"},
                        {"reason", "SignerValidationFailure"},
                        {"message", *why_not},
                        {"lastUpdateTime", base::format_rfc3339(context_.now())}}));
    }
    auto updating = context_.client.update(kSigningRequests, std::move(object), "status");
    auto updated = co_await std::move(updating);
    co_return updated.status();
  }

  client::Informer& requests_;
  const pki::ClusterTrust& trust_;
};

}  // namespace

std::unique_ptr<Controller> make_signer_controller(Context& context,
                                                   const pki::ClusterTrust& trust) {
  return std::make_unique<SignerController>(context, trust);
}

}  // namespace skiff::controllers
