#include "apiserver/join/renew.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/pki/certificate.h>

#include "apiserver/join/node_certificates.h"
#include "apiserver/join/node_names.h"
#include "apiserver/limits.h"
#include "apiserver/respond.h"
#include "apiserver/routes.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

// Who acts as a node has the node's rights, but never its certificate.
api::Outcome<std::string> renewing_node(const RequestContext& context) {
  const auto node = auth::node_name_of(context.user);
  if (node.empty() || context.request.peer.certificate_common_name != context.user.name)
    return api::forbidden_error("only a node renews its certificates, with the one that it has");
  return std::string(node);
}

// A node's identity is its key: it stays the same, as long as the node is in the cluster.
api::Outcome<> check_key(const RequestContext& context, const std::string& node,
                         const std::string& key_sha256) {
  if (!node_name_state(context.services, node).is_taken)
    return api::forbidden_error(
        base::concat("node ", base::quote(node),
                     " has been taken out of the cluster; it joins again with a token"));
  if (key_sha256 != context.request.peer.certificate_key_sha256)
    return api::forbidden_error("the signing request is of another key than the node's");
  return api::Done{};
}

api::Outcome<Json> certificates(const RequestContext& context, const std::string& node,
                                const std::string& request_pem) {
  auto request = pki::read_signing_request(request_pem);
  if (!request.is_ok()) return api::bad_request_error(request.status().message());
  SKIFF_CHECK(check_key(context, node, request->public_key_fingerprint));
  const auto& options = context.services.options;
  auto made =
      issue_node_certificates(*options.trust, node, request_pem, context.services.clock().now());
  if (!made.is_ok()) return api::bad_request_error(made.status().message());
  base::log_info("a node has renewed its certificates", {{"node", node}});
  return Json::object({{"nodeName", node},
                       {"certificate", made->client_pem},
                       {"servingCertificate", made->serving_pem},
                       {"clusterCIDR", options.cluster_cidr},
                       {"serviceCIDR", options.service_cidr},
                       {"clusterDNS", options.cluster_dns},
                       {"clusterDomain", options.cluster_domain}});
}

api::Outcome<std::string> signing_request_of(const RequestContext& context) {
  codec::JsonParseOptions options;
  options.limits = {kJoinBodyBytesMax, kJoinBodyDepthMax, kJoinBodyValuesMax};
  auto body = codec::parse_json(context.request.body, options);
  if (!body.is_ok()) return api::bad_request_error(body.status().message());
  return std::string(std::as_const(*body)["signingRequest"].as_string());
}

}  // namespace

base::Task<ResponseOutcome> handle_renew(RequestContext& context) {
  const auto& options = context.services.options;
  if (options.trust == nullptr) co_return no_such_path();
  SKIFF_CO_TRY(auto node, renewing_node(context));
  SKIFF_CO_TRY(auto request_pem, signing_request_of(context));
  Json answer = Json::object();
  if (!request_pem.empty()) {
    SKIFF_CO_TRY(answer, certificates(context, node, request_pem));
  }
  answer.set("certificateAuthorities", options.trust->bundle_pem());
  answer.set("time", base::format_rfc3339(context.services.clock().now()));
  co_return json_response(200, Form{}, answer);
}

}  // namespace skiff::apiserver
