#include "app/credentials/credential_keeper.h"

#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/client/uplink.h>
#include <skiff/codec/json.h>
#include <skiff/loop/work_pool.h>
#include <skiff/pki/certificate.h>

#include "app/credentials/plan_renewal.h"
#include "app/jitter.h"
#include "app/join/join_answer.h"
#include "app/join/joined_files.h"
#include "app/limits.h"

#include <algorithm>

namespace skiff::app {

using codec::Json;

CredentialKeeper::CredentialKeeper(const Config& config, loop::Loop& loop, JoinedNode node,
                                   std::shared_ptr<http::TlsContext> tls, base::Executor& blocking,
                                   base::Random& random, base::CancelToken cancel,
                                   base::Notifier* told)
    : config_(config),
      loop_(loop),
      node_(std::move(node)),
      tls_(std::move(tls)),
      blocking_(blocking),
      random_(random),
      cancel_(std::move(cancel)),
      client_(http::make_async_client(loop)),
      wake_(told != nullptr ? *told : own_),
      unit_(random.unit()) {}

base::Task<void> CredentialKeeper::run() {
  base::Duration retry = kRenewRetryMin;
  // Soon: the CA may have rolled while this node was off.
  base::Duration wait = kRenewRetryMin;
  if (names_another_authority(config_, node_.ca_pem)) wait = base::Duration::zero();
  for (;;) {
    auto pausing = pause(wait);
    bool paused = co_await std::move(pausing);
    if (!paused) co_return;
    auto looking = look();
    auto looked = co_await std::move(looking);
    if (cancel_.is_cancelled()) co_return;
    if (looked) {
      wait = std::clamp<base::Duration>(rest(), kRenewAgainMin, kRenewCheckInterval);
      retry = kRenewRetryMin;
    } else {
      base::log_warning("certificates cannot be renewed yet", {{"error", looked}});
      // Without a certificate the node is away: it asks as often as one that joins.
      if (has_ended()) retry = std::min<base::Duration>(retry, kJoinPauseMax);
      wait = retry;
      retry = std::min<base::Duration>(retry * 2, kRenewRetryMax);
    }
  }
}

base::Task<bool> CredentialKeeper::pause(base::Duration duration) {
  is_pause_over_ = false;
  const auto timer = loop_.start_timer(jittered(duration, 0.75, random_), [this] {
    is_pause_over_ = true;
    wake_.notify();
  });
  auto waiting = wake_.wait(cancel_);
  const bool woken = co_await std::move(waiting);
  loop_.cancel_timer(timer);
  if (!woken || is_pause_over_) co_return woken;
  // Every node has been told at the same moment.
  auto spreading = base::sleep(loop_, jittered(kFollowAuthoritiesMax, 0, random_), cancel_);
  co_return co_await std::move(spreading);
}

base::Duration CredentialKeeper::rest() const {
  std::vector<pki::CertificateInfo> certificates;
  for (const auto* pem : {&node_.certificate_pem, &node_.serving_certificate_pem}) {
    auto info = pki::inspect_certificate(*pem);
    if (!info) return base::Duration::zero();
    certificates.push_back(std::move(*info));
  }
  return until_renewal(certificates, loop_.clock().now() + behind_, unit_);
}

bool CredentialKeeper::has_ended() const {
  auto info = pki::inspect_certificate(node_.certificate_pem);
  return !info || loop_.clock().now() >= info->not_after;
}

base::Task<base::Status> CredentialKeeper::look() {
  auto renewing = renew_what_is_due();
  auto renewed = co_await std::move(renewing);
  base::Task<base::Result<JoinedNode>> coming;
  if (!renewed && names_another_authority(config_, node_.ca_pem)) {
    base::log_warning("the token names a CA that this node does not know, joining with it",
                      {{"node", node_.name}, {"error", renewed}});
    coming = join_by_new_token(config_, loop_, random_, node_, cancel_);
  } else if (renewed.code() == base::Code::unauthenticated) {
    base::log_warning("the master takes the certificate no more, coming back by the node's key",
                      {{"node", node_.name}});
    coming = join_again(config_, loop_, random_, node_, cancel_);
  } else {
    co_return renewed;
  }
  auto fresh = co_await std::move(coming);
  if (!fresh) co_return fresh.status();
  auto taking = take_over(std::move(*fresh));
  co_return co_await std::move(taking);
}

base::Task<base::Status> CredentialKeeper::renew_what_is_due() {
  bool is_due = rest().count() <= 0;
  if (!is_due) {
    auto asking = ask("{}");
    auto answer = co_await std::move(asking);
    if (!answer) co_return answer.status();
    const auto tree = codec::parse_json(*answer);
    if (!tree) co_return tree.status();
    // By the master's clock, which judges the certificate when it is shown.
    const auto time = base::parse_rfc3339((*tree)["time"].as_string());
    if (time) behind_ = *time - loop_.clock().now();
    is_due = (*tree)["certificateAuthorities"].as_string() != node_.ca_pem || rest().count() <= 0;
  }
  if (!is_due) co_return base::Status::ok();
  auto renewing = renew();
  co_return co_await std::move(renewing);
}

// By the certificates that there are; by the key alone when they have ended.
base::Task<base::Result<JoinedNode>> CredentialKeeper::fetch() {
  if (has_ended()) {
    auto joining = join_again(config_, loop_, random_, node_, cancel_);
    co_return co_await std::move(joining);
  }
  SKIFF_CO_ASSIGN_OR_RETURN(std::string request, make_node_request(node_.name, node_.key_pem));
  auto asking = ask(codec::write_json(Json::object({{"signingRequest", request}})));
  auto answer = co_await std::move(asking);
  if (!answer) co_return answer.status();
  co_return parse_join_answer(*answer, node_.name, node_.key_pem);
}

base::Task<base::Status> CredentialKeeper::renew() {
  auto fetching = fetch();
  auto fetched = co_await std::move(fetching);
  if (!fetched) co_return fetched.status();
  auto taking = take_over(std::move(*fetched));
  co_return co_await std::move(taking);
}

base::Task<base::Status> CredentialKeeper::take_over(JoinedNode fresh) {
  fresh.cluster = node_.cluster;
  auto write = [data_dir = config_.data_dir, fresh]() -> base::Status {
    SKIFF_ASSIGN_OR_RETURN(JoinedFiles files, read_joined_files(data_dir));
    return write_joined_files(data_dir, fresh, files.board_fingerprint);
  };
  auto writing = loop::run_blocking(blocking_, std::move(write));
  SKIFF_CO_RETURN_IF_ERROR(co_await std::move(writing));
  // The streams of the connection that is there go on; the next one has what is new.
  SKIFF_CO_RETURN_IF_ERROR(tls_->replace_trust(fresh.ca_pem));
  SKIFF_CO_RETURN_IF_ERROR(tls_->replace_identity(fresh.certificate_pem, fresh.key_pem));
  base::log_info("certificates renewed", {{"node", fresh.name}});
  node_ = std::move(fresh);
  co_return base::Status::ok();
}

// The answer of the first master that gives one; the others would take the certificate no more
// than one that refuses it.
base::Task<base::Result<std::string>> CredentialKeeper::ask(std::string body) {
  base::Status last = base::unavailable("no master is named");
  for (const auto& server : config_.servers) {
    http::ClientRequest request;
    request.method = "POST";
    request.host = server.host;
    request.port = server.port;
    request.server_name = client::kMasterName;
    request.target = "/skiff/v1/renew";
    request.headers.set("Content-Type", "application/json");
    request.body = body;
    request.tls = tls_;
    request.timeout = kJoinRequestTimeout;
    request.body_bytes_max = kJoinAnswerBytesMax;
    request.cancel = cancel_;
    auto sending = client_->send(std::move(request));
    auto answer = co_await std::move(sending);
    if (answer && answer->status == 200) co_return std::move(answer->body);
    last = answer ? refusal_of(answer->status, answer->body) : answer.status();
    if (last.code() == base::Code::unauthenticated) break;
  }
  co_return last;
}

}  // namespace skiff::app
