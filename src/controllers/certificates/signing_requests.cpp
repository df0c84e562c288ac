#include "controllers/certificates/signing_requests.h"

#include <skiff/api/node_user.h>
#include <skiff/api/object.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>

namespace skiff::controllers {

namespace {

constexpr std::string_view kDigitalSignature = "digital signature",
                           kKeyEncipherment = "key encipherment", kClientAuth = "client auth",
                           kServerAuth = "server auth";

// Keys that are not RSA need no encipherment.
bool are_usages(const std::set<std::string>& usages, std::string_view extended) {
  std::set<std::string> wanted{std::string(kDigitalSignature), std::string(extended)};
  if (usages == wanted) return true;
  wanted.emplace(kKeyEncipherment);
  return usages == wanted;
}

bool are_nodes(const pki::Subject& subject) {
  return subject.organizations == std::vector<std::string>{std::string(api::kNodesGroup)};
}

}  // namespace

bool has_condition(const Json& csr, std::string_view type) {
  return !api::find_condition(csr, type).is_null();
}

bool is_issued(const Json& csr) { return !csr.at({"status", "certificate"}).empty(); }

std::set<std::string> usages_of(const Json& csr) {
  std::set<std::string> usages;
  for (const Json& usage : csr.at({"spec", "usages"}).items()) usages.emplace(usage.as_string());
  return usages;
}

base::Result<std::string> request_pem_of(const Json& csr) {
  return codec::base64_decode(csr.at({"spec", "request"}).as_string());
}

std::string why_no_kubelet_client(const pki::SigningRequestInfo& request,
                                  const std::set<std::string>& usages) {
  const auto& identity = request.identity;
  if (!are_nodes(identity.subject)) return "subject organization is not system:nodes";
  if (!identity.dns_names.empty()) return "DNS subjectAltNames are not allowed";
  if (!request.emails.empty()) return "Email subjectAltNames are not allowed";
  if (!identity.ip_addresses.empty()) return "IP subjectAltNames are not allowed";
  if (!request.uris.empty()) return "URI subjectAltNames are not allowed";
  if (!base::starts_with(identity.subject.common_name, api::kNodeUserPrefix))
    return "subject common name does not begin with system:node:";
  if (!are_usages(usages, kClientAuth))
    return "usages did not match [client auth digital signature key encipherment]";
  return {};
}

std::string why_no_kubelet_serving(const pki::SigningRequestInfo& request,
                                   const std::set<std::string>& usages) {
  const auto& identity = request.identity;
  if (!are_nodes(identity.subject)) return "subject organization is not system:nodes";
  if (identity.dns_names.empty() && identity.ip_addresses.empty())
    return "DNS or IP subjectAltName is required";
  if (!request.emails.empty()) return "Email subjectAltNames are not allowed";
  if (!request.uris.empty()) return "URI subjectAltNames are not allowed";
  if (!are_usages(usages, kServerAuth))
    return "usages did not match [digital signature key encipherment server auth]";
  if (!base::starts_with(identity.subject.common_name, api::kNodeUserPrefix))
    return "subject common name does not begin with system:node:";
  return {};
}

std::string why_no_api_client(const Json& usages) {
  bool has_client_auth = false;
  for (const Json& usage : usages.items()) {
    auto name = usage.as_string();
    if (name == kClientAuth) {
      has_client_auth = true;
    } else if (name != kDigitalSignature && name != kKeyEncipherment) {
      return base::concat("invalid usage for client certificate: ", name);
    }
  }
  return has_client_auth ? "" : "missing required usage for client certificate: client auth";
}

}  // namespace skiff::controllers
