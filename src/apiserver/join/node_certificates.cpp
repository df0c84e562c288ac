#include "apiserver/join/node_certificates.h"

#include <skiff/api/node_user.h>
#include <skiff/auth/auth.h>
#include <skiff/base/strings.h>

#include "apiserver/limits.h"

namespace skiff::apiserver {

// What a signing request says of names is not read: a node gets its own name, and no address, for
// with the address of a master it could pass for one.
base::Result<NodeCertificates> issue_node_certificates(const pki::ClusterTrust& trust,
                                                       const std::string& node_name,
                                                       std::string_view signing_request_pem,
                                                       base::WallTime now) {
  const auto signer = trust.signer();
  pki::CertificateRequest client;
  client.identity.subject = {base::concat(api::kNodeUserPrefix, node_name),
                             {std::string(auth::kNodesGroup)}};
  client.for_client = true;
  client.now = now;
  client.life = kNodeCertificateLife;
  pki::CertificateRequest serving = client;
  serving.for_client = false;
  serving.for_server = true;
  serving.identity.dns_names = {node_name};
  NodeCertificates made;
  SKIFF_ASSIGN_OR_RETURN(made.client_pem, signer->sign(signing_request_pem, client));
  SKIFF_ASSIGN_OR_RETURN(made.serving_pem, signer->sign(signing_request_pem, serving));
  made.bundle_pem = trust.bundle_pem();
  return made;
}

}  // namespace skiff::apiserver
