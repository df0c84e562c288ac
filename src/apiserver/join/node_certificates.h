// The certificates of a node, from the authority that signs at the moment.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/pki/authority.h>

#include <string>
#include <string_view>

namespace skiff::apiserver {

struct NodeCertificates {
  std::string client_pem;   // system:node:<name> in system:nodes, with its chain
  std::string serving_pem;  // for the name of the node, same key
  std::string bundle_pem;   // what the node trusts
};
// REQUIRES: the node's name is checked and belongs to the key of the signing request.
// Errors: invalid_argument for a signing request that is none.
base::Result<NodeCertificates> issue_node_certificates(const pki::ClusterTrust& trust,
                                                       const std::string& node_name,
                                                       std::string_view signing_request_pem,
                                                       base::WallTime now);

}  // namespace skiff::apiserver
