#include <skiff/api/node_user.h>
#include <skiff/base/strings.h>

#include "controllers/certificates/plan_approval.h"
#include "controllers/certificates/signing_requests.h"
#include "controllers/list_of_controllers.h"

namespace skiff::controllers {

namespace {

using base::Status;
using base::Task;
using client::resources::nodes;
using client::resources::services;

constexpr client::Resource kAccessReviews{"authorization.k8s.io", "v1", "subjectaccessreviews"};
constexpr std::string_view kServingMessage =
    "Auto approving kubelet serving certificate: it names the requesting node alone.";

Json access_review(const Json& csr, std::string_view subresource) {
  const Json& from = csr["spec"];
  Json spec = Json::object({{"user", from["username"]}});
  for (auto member : {"uid", "groups", "extra"})
    if (const Json* value = from.find(member)) spec.set(member, *value);
  spec.set("resourceAttributes", Json::object({{"group", "certificates.k8s.io"},
                                               {"resource", "certificatesigningrequests"},
                                               {"subresource", subresource},
                                               {"verb", "create"}}));
  return Json::object({{"apiVersion", "authorization.k8s.io/v1"},
                       {"kind", "SubjectAccessReview"},
                       {"spec", std::move(spec)}});
}

// Approves what nodes ask for themselves. Keys are names of CertificateSigningRequests.
class ApproverController final : public KeyedController {
 public:
  ApproverController(Context& context, std::function<pki::Identity()> master_names)
      : KeyedController(context),
        requests_(needs(kSigningRequests)),
        nodes_(needs(nodes)),
        services_(needs(services)),
        master_names_(std::move(master_names)) {
    enqueue_on_change(kSigningRequests);
  }
  std::string_view name() const override { return "csrapproving"; }

 private:
  Task<Status> sync(std::string key) override {
    JsonPtr csr = context_.find(requests_, key);
    const bool is_decided =
        !csr || is_issued(*csr) || has_condition(*csr, "Approved") || has_condition(*csr, "Denied");
    if (is_decided) co_return Status::ok();
    auto pem = request_pem_of(*csr);
    if (!pem) co_return pem.status();
    auto request = pki::read_signing_request(*pem);
    if (!request) co_return request.status();
    const auto node = node_of(request->identity.subject);
    if (node && is_own_serving_request(*csr, *request, *node, taken_names(*node))) {
      auto approving = approve(*csr, kServingMessage);
      co_return co_await std::move(approving);
    }
    auto trying = try_rules(csr, approval_rules(*csr, *request));
    co_return co_await std::move(trying);
  }

  Task<Status> try_rules(JsonPtr csr, std::vector<ApprovalRule> rules) {
    for (const ApprovalRule& rule : rules) {
      auto asking =
          context_.client.create(kAccessReviews, "", access_review(*csr, rule.subresource));
      auto review = co_await std::move(asking);
      if (!review.is_ok()) co_return review.status();
      if (!review->at({"status", "allowed"}).as_bool()) continue;
      auto approving = approve(*csr, rule.message);
      co_return co_await std::move(approving);
    }
    if (rules.empty()) co_return Status::ok();
    // Comes again with back-off: a binding may be on its way.
    co_return Status(base::Code::permission_denied, "subject access review was not approved");
  }

  Task<Status> approve(const Json& csr, std::string_view message) {
    Json object = csr;
    Json& conditions = object["status"]["conditions"];
    if (!conditions.is_array()) conditions = Json::array();
    conditions.push_back(Json::object({{"type", "Approved"},
                                       {"status", "True"},
                                       {"reason", "AutoApproved"},
                                       {"message", message}}));
    auto updating = context_.client.update(kSigningRequests, std::move(object), "approval");
    auto updated = co_await std::move(updating);
    co_return updated.status();
  }

  JsonPtr node_of(const pki::Subject& subject) const {
    if (!base::starts_with(subject.common_name, api::kNodeUserPrefix)) return nullptr;
    return context_.find(nodes_,
                         std::string_view(subject.common_name).substr(api::kNodeUserPrefix.size()));
  }

  // Names of the master, addresses of other nodes and of Services.
  TakenNames taken_names(const Json& node) const {
    TakenNames taken;
    const auto master = master_names_ ? master_names_() : pki::Identity();
    for (const auto& names : {master.dns_names, master.ip_addresses})
      taken.insert(names.begin(), names.end());
    for (const auto& other : nodes_.list()) {
      if (other.name() == api::name_of(node)) continue;
      taken.emplace(other.name());
      JsonPtr tree = context_.parsed.parse(other);
      for (const Json& address : tree->at({"status", "addresses"}).items())
        taken.emplace(address["address"].as_string());
    }
    for (const auto& service : services_.list()) {
      JsonPtr tree = context_.parsed.parse(service);
      for (auto member : {"clusterIPs", "externalIPs"})
        for (const Json& address : tree->at({"spec", member}).items())
          taken.emplace(address.as_string());
    }
    return taken;
  }

  client::Informer& requests_;
  client::Informer& nodes_;
  client::Informer& services_;
  const std::function<pki::Identity()> master_names_;
};

}  // namespace

std::unique_ptr<Controller> make_approver_controller(Context& context,
                                                     std::function<pki::Identity()> master_names) {
  return std::make_unique<ApproverController>(context, std::move(master_names));
}

}  // namespace skiff::controllers
