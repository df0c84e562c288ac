#include "app/join/join_answer.h"

#include <skiff/api/errors.h>
#include <skiff/api/node_user.h>
#include <skiff/api/validation.h>
#include <skiff/base/strings.h>
#include <skiff/codec/json.h>
#include <skiff/pki/certificate.h>

#include "app/addresses.h"
#include "app/limits.h"

#include <algorithm>

namespace skiff::app {

using codec::Json;

namespace {

base::Result<Json> parse_answer(std::string_view body) {
  codec::JsonParseOptions options;
  options.limits = {kJoinAnswerBytesMax, kJoinAnswerDepthMax, kJoinAnswerValuesMax};
  return codec::parse_json(body, options);
}

base::Status damaged(std::string_view what) {
  return base::unavailable(base::concat("the master's answer has ", what));
}

base::Status check_settings(const ClusterSettings& cluster) {
  for (const auto* network : {&cluster.cluster_cidr, &cluster.service_cidr}) {
    if (!parse_network(*network)) return damaged("a network that is none");
  }
  if (!parse_ipv4(cluster.cluster_dns)) return damaged("an address of the DNS that is none");
  if (!api::check_dns1123_subdomain(cluster.cluster_domain).empty())
    return damaged("a domain that is none");
  return base::Status::ok();
}

base::Status check_certificate(const std::string& pem, const std::string& key_pem,
                               std::string_view common_name) {
  auto info = pki::inspect_certificate(pem);
  auto matches = pki::certificate_matches_key(pem, key_pem);
  if (!info || !matches || !*matches || info->identity.subject.common_name != common_name)
    return damaged("a certificate that is not for this node");
  return base::Status::ok();
}

}  // namespace

ClusterSettings read_cluster_settings(const Json& tree) {
  auto member = [&](const char* key) { return std::string(tree[key].as_string()); };
  return {member("clusterCIDR"), member("serviceCIDR"), member("clusterDNS"),
          member("clusterDomain")};
}

base::Result<std::string> make_node_request(const std::string& node_name,
                                            const std::string& key_pem) {
  pki::Identity identity;
  identity.subject = {base::concat(api::kNodeUserPrefix, node_name),
                      {std::string(api::kNodesGroup)}};
  return pki::make_signing_request(identity, key_pem);
}

base::Result<OfferedAuthorities> parse_offered_authorities(std::string_view body) {
  SKIFF_ASSIGN_OR_RETURN(const Json tree, parse_answer(body));
  OfferedAuthorities offered;
  offered.certificates_text = tree["certificateAuthorities"].as_string();
  offered.proof = tree["proof"].as_string();
  SKIFF_ASSIGN_OR_RETURN(offered.certificates_pem,
                         pki::split_certificates(offered.certificates_text));
  if (auto time = base::parse_rfc3339(tree["time"].as_string())) offered.time = *time;
  return offered;
}

std::string pick_authorities(const OfferedAuthorities& offered,
                             const std::vector<std::string>& key_sha256) {
  std::string picked;
  for (const auto& pem : offered.certificates_pem) {
    auto info = pki::inspect_certificate(pem);
    if (!info || !info->is_authority) continue;
    const bool is_wanted = std::find(key_sha256.begin(), key_sha256.end(),
                                     info->public_key_fingerprint) != key_sha256.end();
    if (is_wanted) picked += pem;
  }
  return picked;
}

std::string all_authorities(const OfferedAuthorities& offered) {
  std::string all;
  for (const auto& pem : offered.certificates_pem) {
    auto info = pki::inspect_certificate(pem);
    if (info && info->is_authority) all += pem;
  }
  return all;
}

std::vector<std::string> key_fingerprints(std::string_view certificates_pem) {
  std::vector<std::string> list;
  auto certificates = pki::split_certificates(certificates_pem);
  if (!certificates) return list;
  for (const auto& pem : *certificates) {
    if (auto info = pki::inspect_certificate(pem)) list.push_back(info->public_key_fingerprint);
  }
  return list;
}

base::WallTime judging_time(const std::string& authorities_pem, base::WallTime now,
                            std::optional<base::WallTime> offered) {
  auto authority = pki::inspect_certificate(authorities_pem);
  if (!authority || now >= authority->not_before) return now;
  return std::max(offered.value_or(now), authority->not_before);
}

base::Result<JoinedNode> parse_join_answer(std::string_view body, const std::string& node_name,
                                           const std::string& key_pem) {
  const auto tree = parse_answer(body);
  if (!tree) return damaged("no JSON");
  auto member = [&](const char* key) { return std::string((*tree)[key].as_string()); };
  JoinedNode joined;
  joined.name = member("nodeName");
  if (joined.name != node_name) return damaged("another name of the node");
  joined.ca_pem = member("certificateAuthorities");
  joined.certificate_pem = member("certificate");
  joined.serving_certificate_pem = member("servingCertificate");
  joined.key_pem = key_pem;
  joined.cluster = read_cluster_settings(*tree);
  const std::string user = base::concat(api::kNodeUserPrefix, node_name);
  SKIFF_RETURN_IF_ERROR(check_certificate(joined.certificate_pem, key_pem, user));
  SKIFF_RETURN_IF_ERROR(check_certificate(joined.serving_certificate_pem, key_pem, user));
  if (!pki::split_certificates(joined.ca_pem)) return damaged("no authorities");
  SKIFF_RETURN_IF_ERROR(check_settings(joined.cluster));
  return joined;
}

base::Status refusal_of(int http_status, std::string_view body) {
  const auto tree = parse_answer(body);
  api::ApiError error;
  if (tree && (*tree)["kind"].as_string() == "Status") error = api::ApiError::from_json(*tree);
  if (error.code != http_status || error.message.empty()) {
    error = {};
    error.code = http_status;
    error.reason = api::Reason::unknown;
    error.message = base::concat("the master answers with the HTTP status ", http_status);
  }
  return api::to_base_status(error);
}

}  // namespace skiff::app
