#include "apiserver/join/join.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include "apiserver/join/failure_limit.h"
#include "apiserver/join/node_certificates.h"
#include "apiserver/respond.h"
#include "apiserver/routes.h"

namespace skiff::apiserver {

using codec::Json;

namespace {

ResponseOutcome answer(const RequestContext& context, const JoinRequest& request) {
  const auto& options = context.services.options;
  const auto now = context.services.clock().now();
  auto made =
      issue_node_certificates(*options.trust, request.node_name, request.signing_request_pem, now);
  if (!made.is_ok()) return as_api_error(made.status());
  return json_response(200, Form{},
                       Json::object({{"nodeName", request.node_name},
                                     {"certificate", made->client_pem},
                                     {"servingCertificate", made->serving_pem},
                                     {"certificateAuthorities", made->bundle_pem},
                                     {"clusterCIDR", options.cluster_cidr},
                                     {"serviceCIDR", options.service_cidr},
                                     {"clusterDNS", options.cluster_dns},
                                     {"clusterDomain", options.cluster_domain},
                                     {"time", base::format_rfc3339(now)}}));
}

base::Task<ResponseOutcome> join(RequestContext& context) {
  SKIFF_CO_TRY(auto request,
               parse_join_request(context.request.body, context.services.options.server_names));
  auto admitting = admit_node(context.services, request);
  SKIFF_CO_CHECK(co_await std::move(admitting));
  co_return answer(context, request);
}

}  // namespace

base::Task<ResponseOutcome> handle_ca(RequestContext& context) {
  const auto& options = context.services.options;
  if (options.trust == nullptr) co_return no_such_path();
  const auto now = context.services.clock().now();
  co_return json_response(200, Form{},
                          Json::object({{"certificateAuthorities", options.trust->known_pem()},
                                        {"time", base::format_rfc3339(now)}}));
}

api::Outcome<> may_try_to_join(const RequestContext& context) {
  const std::string source(source_of(context.request.peer.address));
  const auto seconds = context.services.join_failures->seconds_to_wait(source);
  if (seconds <= 0) return api::Done{};
  return api::too_many_requests_error(base::concat("too many boards failed to join, from ", source,
                                                   " or in all; wait ", seconds, " s"),
                                      seconds);
}

void note_join_refusal(const RequestContext& context, const api::ApiError& error) {
  const std::string source(source_of(context.request.peer.address));
  // A name that is taken is no guess, and a disk that refuses is not the board's fault.
  if (error.code == 400 || error.code == 403) context.services.join_failures->note_failure(source);
  base::log_warning("a board was refused", {{"from", source}, {"reason", error.message}});
}

base::Task<ResponseOutcome> handle_join(RequestContext& context) {
  if (context.services.options.trust == nullptr) co_return no_such_path();
  SKIFF_CO_CHECK(may_try_to_join(context));
  auto joining = join(context);
  auto outcome = co_await std::move(joining);
  if (!outcome.is_ok()) note_join_refusal(context, outcome.error());
  co_return outcome;
}

}  // namespace skiff::apiserver
