#include "controllers/certificates/plan_approval.h"

#include <skiff/api/node_user.h>
#include <skiff/api/object.h>
#include <skiff/base/strings.h>

#include "controllers/certificates/signing_requests.h"

#include <algorithm>

namespace skiff::controllers {

namespace {

bool is_member(const Json& list, std::string_view text) {
  return std::any_of(list.items().begin(), list.items().end(),
                     [&](const Json& item) { return item.as_string() == text; });
}

bool has_address(const Json& node, std::string_view address) {
  for (const Json& each : node.at({"status", "addresses"}).items())
    if (each["address"].as_string() == address) return true;
  return false;
}

}  // namespace

std::vector<ApprovalRule> approval_rules(const Json& csr, const pki::SigningRequestInfo& request) {
  if (csr.at({"spec", "signerName"}).as_string() != kKubeletClientSigner) return {};
  if (!why_no_kubelet_client(request, usages_of(csr)).empty()) return {};
  std::vector<ApprovalRule> rules;
  if (csr.at({"spec", "username"}).as_string() == request.identity.subject.common_name)
    rules.push_back({"selfnodeclient",
                     "Auto approving self kubelet client certificate after SubjectAccessReview."});
  rules.push_back(
      {"nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."});
  return rules;
}

bool is_own_serving_request(const Json& csr, const pki::SigningRequestInfo& request,
                            const Json& node, const TakenNames& taken) {
  const Json& spec = csr["spec"];
  if (spec["signerName"].as_string() != kKubeletServingSigner || node.is_null()) return false;
  if (!why_no_kubelet_serving(request, usages_of(csr)).empty()) return false;
  const auto& identity = request.identity;
  const std::string self = base::concat(api::kNodeUserPrefix, api::name_of(node));
  if (identity.subject.common_name != self || spec["username"].as_string() != self ||
      !is_member(spec["groups"], api::kNodesGroup))
    return false;
  auto is_own_name = [&](const std::string& name) {
    return name == api::name_of(node) && !taken.contains(name);
  };
  auto is_own_address = [&](const std::string& address) {
    return has_address(node, address) && !taken.contains(address);
  };
  return std::all_of(identity.dns_names.begin(), identity.dns_names.end(), is_own_name) &&
         std::all_of(identity.ip_addresses.begin(), identity.ip_addresses.end(), is_own_address);
}

}  // namespace skiff::controllers
