#include "apiserver/join/join_request.h"

#include <skiff/api/validation.h>
#include <skiff/base/strings.h>
#include <skiff/pki/certificate.h>

#include "apiserver/limits.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

// Names under which clients look for the API; see also the names of the server's certificate.
constexpr std::string_view kNamesOfTheApi[] = {"localhost", "kubernetes", "kubernetes.default"};

api::ApiError bad(std::string_view why) {
  return api::bad_request_error(base::concat("the request to join ", why));
}

api::Outcome<Json> parse_body(std::string_view text) {
  codec::JsonParseOptions options;
  options.limits = {kJoinBodyBytesMax, kJoinBodyDepthMax, kJoinBodyValuesMax};
  auto body = codec::parse_json(text, options);
  if (!body.is_ok()) return bad(base::concat("is no JSON: ", body.status().message()));
  if (!body->is_object()) return bad("is no JSON object");
  return std::move(*body);
}

// Text members are text and nothing else.
api::Outcome<std::string> text_member(const Json& body, std::string_view key) {
  const Json& value = body[key];
  if (value.is_null()) return std::string();
  if (!value.is_string()) return bad(base::concat("has a ", key, " that is not text"));
  return std::string(value.as_string());
}

}  // namespace

api::Outcome<> check_node_name(std::string_view name,
                               const std::vector<std::string>& reserved_names) {
  if (auto problems = api::check_dns1123_subdomain(name); !problems.empty())
    return bad(base::concat("has ", base::quote(name.substr(0, kNodeNameShownMax)),
                            " as the name of the node: ", problems.front()));
  bool is_reserved = name.starts_with("kubernetes.default.");
  for (auto reserved : kNamesOfTheApi) is_reserved = is_reserved || name == reserved;
  for (const auto& reserved : reserved_names) is_reserved = is_reserved || name == reserved;
  if (is_reserved)
    return bad(base::concat("has ", base::quote(name),
                            " as the name of the node, which is a name of the master itself; give "
                            "the node another one with --node-name"));
  return api::Done{};
}

api::Outcome<auth::JoinProof> parse_join_proof(std::string_view text) {
  SKIFF_TRY(const Json tree, parse_body(text));
  auth::JoinProof proof;
  SKIFF_TRY(proof.token_id, text_member(tree, "tokenID"));
  SKIFF_TRY(proof.proof, text_member(tree, "proof"));
  if (proof.token_id.empty() || proof.token_id.size() > kJoinTokenIdShownMax)
    return bad("has no id of a token");
  if (proof.proof.size() != kJoinProofDigits) return bad("has a proof that is none");
  return proof;
}

api::Outcome<JoinRequest> parse_join_request(std::string_view text,
                                             const std::vector<std::string>& reserved_names) {
  SKIFF_TRY(const Json tree, parse_body(text));
  JoinRequest request;
  SKIFF_TRY(request.node_name, text_member(tree, "nodeName"));
  SKIFF_TRY(request.token_id, text_member(tree, "tokenID"));
  SKIFF_TRY(request.token_secret, text_member(tree, "tokenSecret"));
  SKIFF_TRY(request.signing_request_pem, text_member(tree, "signingRequest"));
  request.replace = tree["replace"].as_bool();
  if (!tree["taints"].is_null() && !tree["taints"].is_array())
    return bad("has taints that are no list");
  request.taints = tree["taints"];
  if (request.token_id.empty() != request.token_secret.empty()) return bad("has half a token");
  SKIFF_CHECK(check_node_name(request.node_name, reserved_names));
  auto info = pki::read_signing_request(request.signing_request_pem);
  if (!info.is_ok())
    return bad(base::concat("has no good signing request: ", info.status().message()));
  request.key_sha256 = std::move(info->public_key_fingerprint);
  return request;
}

}  // namespace skiff::apiserver
