// Which CertificateSigningRequests of nodes need no person. Pure.
#pragma once

#include <skiff/codec/json.h>
#include <skiff/pki/certificate.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::controllers {

// A permission that the requester must have, and what the approval then says.
struct ApprovalRule {
  std::string_view subresource, message;
};
// In the order in which they are tried; empty for requests that a person decides.
std::vector<ApprovalRule> approval_rules(const codec::Json& csr,
                                         const pki::SigningRequestInfo& request);

// What a node may not have in its serving certificate, because it belongs to another.
using TakenNames = std::set<std::string, std::less<>>;
// Whether the request is that of a node of ours for its own serving certificate: it asks for
// itself, under its own name and addresses that its Node has and nobody else.
bool is_own_serving_request(const codec::Json& csr, const pki::SigningRequestInfo& request,
                            const codec::Json& node, const TakenNames& taken);

}  // namespace skiff::controllers
