#include <skiff/base/log.h>
#include <skiff/base/strings.h>

#include "apiserver/join/join.h"
#include "apiserver/join/node_names.h"
#include "apiserver/limits.h"
#include "apiserver/server.h"

namespace skiff::apiserver {

using codec::Json;

std::optional<FoundJoinToken> find_join_token(const Services& services, std::string_view id) {
  if (id.empty() || id.size() > kJoinTokenIdShownMax) return std::nullopt;
  auto stored = services.reader->get("", "secrets", auth::kJoinTokenNamespace,
                                     auth::join_token_secret_name(id));
  if (stored.empty()) return std::nullopt;
  auto secret = stored.parse();
  if (!secret.is_ok()) return std::nullopt;
  auto record = auth::read_join_token_secret(*secret);
  if (!record.is_ok()) return std::nullopt;
  return FoundJoinToken{std::move(*secret), std::move(*record)};
}

api::ApiError as_api_error(const base::Status& status) {
  switch (status.code()) {
    case base::Code::invalid_argument: return api::bad_request_error(status.message());
    case base::Code::too_many_requests: return api::too_many_requests_error(status.message(), 1);
    case base::Code::internal: return api::internal_api_error(status.message());
    default: return api::service_unavailable_error(status.message());
  }
}

// The use is counted before the name is written: a crash in between costs nothing, for the token
// remembers who used it and the same board may ask again.
base::Task<api::Outcome<>> admit_node(Services& services, JoinRequest request) {
  const auth::JoinAttempt attempt{request.node_name, request.key_sha256, request.token_id,
                                  request.token_secret, request.replace};
  auto client = make_loopback_client(services, auth::control_user(auth::kNodeJoiner));
  for (int round = 0; round < kJoinRoundsMax; ++round) {
    const auto name = node_name_state(services, attempt.node_name);
    auto token = find_join_token(services, attempt.token_id);
    SKIFF_CO_TRY(auto verdict, auth::plan_join(attempt, name, token ? &token->record : nullptr,
                                               services.clock().now(), services.age_of()));
    if (verdict == auth::JoinVerdict::known) co_return api::Done{};
    if (verdict == auth::JoinVerdict::spend && token->record.uses_left) {
      // The resourceVersion of `secret` makes this count once, whoever else counts now.
      auto record = auth::spend_join_token(std::move(token->record), attempt);
      auto updating = client->update(client::resources::secrets,
                                     auth::join_token_secret(record, std::move(token->secret)));
      auto updated = co_await std::move(updating);
      if (updated.code() == base::Code::conflict || updated.code() == base::Code::not_found)
        continue;
      if (!updated.is_ok()) co_return as_api_error(updated.status());
    }
    auto claiming = claim_node_name(services, attempt.node_name, name, attempt.key_sha256,
                                    std::move(request.taints));
    SKIFF_CO_CHECK(co_await std::move(claiming));
    base::log_info("a board has joined", {{"node", attempt.node_name},
                                          {"token", attempt.token_id},
                                          {"replaces", name.is_taken ? "yes" : "no"}});
    co_return api::Done{};
  }
  co_return api::too_many_requests_error("too many boards use this token at this moment", 1);
}

}  // namespace skiff::apiserver
