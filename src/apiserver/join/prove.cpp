#include <skiff/auth/join_proof.h>

#include "apiserver/join/join.h"
#include "apiserver/respond.h"
#include "apiserver/routes.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

std::string channel_of(const http::Peer& peer) {
  if (!peer.channel_binding) return {};
  return std::string(peer.channel_binding->begin(), peer.channel_binding->end());
}

ResponseOutcome prove(const RequestContext& context) {
  const auto& services = context.services;
  const auto now = services.clock().now();
  SKIFF_TRY(auto proof, parse_join_proof(context.request.body));
  proof.channel = channel_of(context.request.peer);
  const auto token = find_join_token(services, proof.token_id);
  SKIFF_CHECK(
      auth::check_join_proof(proof, token ? &token->record : nullptr, now, services.age_of()));
  const auto authorities = services.options.trust->bundle_pem();
  const auto own_proof =
      auth::join_proof_of_master(token->record.proof_key, proof.channel, authorities);
  return json_response(200, Form{},
                       Json::object({{"certificateAuthorities", authorities},
                                     {"time", base::format_rfc3339(now)},
                                     {"proof", own_proof}}));
}

}  // namespace

base::Task<ResponseOutcome> handle_prove(RequestContext& context) {
  if (context.services.options.trust == nullptr) co_return no_such_path();
  SKIFF_CO_CHECK(may_try_to_join(context));
  auto outcome = prove(context);
  if (!outcome.is_ok()) note_join_refusal(context, outcome.error());
  co_return outcome;
}

}  // namespace skiff::apiserver
