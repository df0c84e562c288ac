// Joining from the worker's side. Nothing that a stranger could use is said before the authority of
// the one who listens is the one that the token, or the cluster of before, names, or has been
// proved by who knows the secret.
#include "app/join/joiner.h"

#include <skiff/auth/join_proof.h>
#include <skiff/base/clock.h>
#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/client/uplink.h>
#include <skiff/codec/json.h>
#include <skiff/http/client.h>

#include "app/jitter.h"
#include "app/join/join_answer.h"
#include "app/limits.h"

#include <algorithm>
#include <memory>

namespace skiff::app {

using codec::Json;

namespace {

std::string url_of(const ServerAddress& server) {
  const bool is_ipv6 = server.host.find(':') != server.host.npos;
  return is_ipv6 ? base::concat("https://[", server.host, "]:", server.port)
                 : base::concat("https://", server.host, ":", server.port);
}

std::string join_body(const Config& config, const JoinPapers& papers, bool with_token) {
  Json body = Json::object({{"nodeName", papers.node_name},
                            {"signingRequest", papers.signing_request_pem},
                            {"replace", config.replace}});
  if (with_token) {
    body.set("tokenID", papers.token->id);
    body.set("tokenSecret", papers.token->secret);
  }
  if (!config.node_taints.empty()) {
    Json taints = Json::array();
    for (const auto& taint : config.node_taints) {
      Json one = Json::object({{"key", taint.key}, {"effect", taint.effect}});
      if (!taint.value.empty()) one.set("value", taint.value);
      taints.push_back(std::move(one));
    }
    body.set("taints", std::move(taints));
  }
  return codec::write_json(body);
}

// What a master of the cluster has decided: another one would say the same.
bool is_verdict(base::Code code) {
  return code == base::Code::permission_denied || code == base::Code::already_exists ||
         code == base::Code::invalid_argument;
}

// Nothing is proved without a channel that the proof is bound to.
std::string proof_body(const std::string& id, const std::string& key, const std::string& channel) {
  Json body = Json::object({{"tokenID", id}});
  if (!channel.empty()) body.set("proof", auth::join_proof_of_board(key, channel));
  return codec::write_json(body);
}

base::Result<OfferedAuthorities> read_proven_authorities(const http::ClientResponse& answer,
                                                         const std::string& key,
                                                         const std::string& channel,
                                                         const std::string& url) {
  auto stranger = [](std::string message) {
    return base::Status(base::Code::unauthenticated, std::move(message));
  };
  if (answer.status == 404 || answer.status == 405)
    return stranger(base::concat(url, " takes no tokens that name no CA"));
  if (answer.status == 400 || answer.status == 403)
    return stranger(
        base::concat(url, " refuses: ", refusal_of(answer.status, answer.body).message()));
  if (answer.status != 200) return refusal_of(answer.status, answer.body);
  auto offered = parse_offered_authorities(answer.body);
  if (!offered) return base::unavailable(base::concat(url, " does not answer as a master"));
  const auto wanted = auth::join_proof_of_master(key, channel, offered->certificates_text);
  if (channel.empty() || !auth::is_same_proof(offered->proof, wanted))
    return stranger(base::concat(
        url,
        " does not know the secret of the token: the token is of another cluster, or somebody "
        "stands between this node and its master; what was sent is worth nothing to others"));
  return offered;
}

// Loop-only.
class Joiner {
 public:
  Joiner(const Config& config, loop::Loop& loop, base::Random& random, JoinPapers papers,
         base::CancelToken cancel)
      : config_(config),
        loop_(loop),
        random_(random),
        papers_(std::move(papers)),
        cancel_(std::move(cancel)),
        client_(http::make_async_client(loop)) {}

  base::Task<base::Result<JoinedNode>> run() {
    base::Duration pause = kJoinPauseMin;
    for (;;) {
      auto asking = ask_all();
      auto joined = co_await std::move(asking);
      if (joined || joined.code() != base::Code::unavailable) co_return joined;
      // Boards that start together do not come back together.
      bool slept = co_await base::sleep(loop_, jittered(pause, 0.5, random_), cancel_);
      if (!slept) co_return base::cancelled("stopped while joining");
      pause = std::min<base::Duration>(pause * 2, kJoinPauseMax);
    }
  }

  // Each master once. Errors: unavailable when another time may be better; all others are final.
  base::Task<base::Result<JoinedNode>> ask_all() {
    base::Status stranger;
    base::Status last = base::unavailable("no master is named");
    bool may_pass = config_.servers.empty();
    for (const auto& server : config_.servers) {
      auto trying = try_server(server);
      auto joined = co_await std::move(trying);
      if (joined) co_return joined;
      if (cancel_.is_cancelled()) co_return base::cancelled("stopped while joining");
      if (is_verdict(joined.code())) co_return joined;
      base::log_warning("could not join",
                        {{"server", url_of(server)}, {"error", joined.status().message()}});
      last = joined.status();
      const bool is_stranger = joined.code() == base::Code::unauthenticated;
      if (is_stranger) stranger = joined.status();
      may_pass = may_pass || !is_stranger;
    }
    if (may_pass) co_return base::unavailable(std::string(last.message()));
    co_return stranger;
  }

 private:
  base::Task<base::Result<JoinedNode>> try_server(const ServerAddress& server) {
    // A proof says who the authorities are, whatever a stranger says.
    const bool only_proves =
        papers_.known_ca_pem.empty() && papers_.token && papers_.token->ca_key_sha256.empty();
    if (only_proves) {
      auto joining = join_by_proof(server);
      co_return co_await std::move(joining);
    }
    auto fetched = co_await fetch_authorities(server);
    if (!fetched) co_return fetched.status();
    // The key that the cluster knows costs no token.
    base::Status refused;
    if (!papers_.known_ca_pem.empty()) {
      auto picked = pick_authorities(*fetched, key_fingerprints(papers_.known_ca_pem));
      if (!picked.empty()) {
        auto joined = co_await ask(server, std::move(picked), fetched->time, false);
        if (joined || joined.code() != base::Code::permission_denied) co_return joined;
        refused = joined.status();
      } else if (!papers_.token) {
        co_return base::Status(
            base::Code::unauthenticated,
            base::concat("the CA of ", url_of(server),
                         " is not the one of the cluster that this node has joined; name the right "
                         "server, or give a token of the other cluster with --token"));
      }
    }
    if (!papers_.token) {
      co_return refused.is_ok() ? base::invalid_argument(
                                      "a new node needs a token to join: give "
                                      "one of 'skiff token create' with --token")
                                : refused;
    }
    if (papers_.token->ca_key_sha256.empty()) {
      auto joining = join_by_proof(server);
      co_return co_await std::move(joining);
    }
    auto picked = pick_authorities(*fetched, {papers_.token->ca_key_sha256});
    if (picked.empty()) {
      co_return base::Status(
          base::Code::unauthenticated,
          base::concat("the CA of ", url_of(server),
                       " is not the one in the token: the token is of another cluster, or somebody "
                       "stands between this node and its master; nothing was sent"));
    }
    co_return co_await ask(server, std::move(picked), fetched->time, true);
  }

  base::Task<base::Result<JoinedNode>> join_by_proof(const ServerAddress& server) {
    auto proving = fetch_proven_authorities(server);
    auto proven = co_await std::move(proving);
    if (!proven) co_return proven.status();
    co_return co_await ask(server, all_authorities(*proven), proven->time, true);
  }

  http::ClientRequest request_to(const ServerAddress& server) const {
    http::ClientRequest request;
    request.host = server.host;
    request.port = server.port;
    request.server_name = client::kMasterName;
    request.timeout = kJoinRequestTimeout;
    request.body_bytes_max = kJoinAnswerBytesMax;
    request.cancel = cancel_;
    return request;
  }

  // From whoever listens there.
  base::Task<base::Result<OfferedAuthorities>> fetch_authorities(const ServerAddress& server) {
    http::TlsClientOptions anybody;
    anybody.insecure = true;
    SKIFF_CO_ASSIGN_OR_RETURN(auto tls, http::make_tls_client_context(anybody));
    auto request = request_to(server);
    request.target = "/skiff/v1/ca";
    request.tls = std::move(tls);
    auto answer = co_await client_->send(std::move(request));
    if (!answer) co_return answer.status();
    auto offered = answer->status == 200
                       ? parse_offered_authorities(answer->body)
                       : base::Result<OfferedAuthorities>(base::invalid_argument(""));
    if (!offered)
      co_return base::unavailable(base::concat(url_of(server), " does not answer as a master"));
    co_return offered;
  }

  // From one who knows the secret of the token, and is told that this board knows it.
  base::Task<base::Result<OfferedAuthorities>> fetch_proven_authorities(
      const ServerAddress& server) {
    const std::string key = auth::join_proof_key(papers_.token->secret);
    // Of the connection that the answer comes on.
    auto channel = std::make_shared<std::string>();
    http::TlsClientOptions anybody;
    anybody.insecure = true;
    SKIFF_CO_ASSIGN_OR_RETURN(auto tls, http::make_tls_client_context(anybody));
    auto request = request_to(server);
    request.method = "POST";
    request.target = "/skiff/v1/ca";
    request.headers.set("Content-Type", "application/json");
    request.bound_body =
        [channel, key, id = papers_.token->id](const std::optional<http::ChannelBinding>& binding) {
          *channel = binding ? std::string(binding->begin(), binding->end()) : std::string();
          return proof_body(id, key, *channel);
        };
    request.tls = std::move(tls);
    auto sending = client_->send(std::move(request));
    auto answer = co_await std::move(sending);
    if (!answer) co_return answer.status();
    co_return read_proven_authorities(*answer, key, *channel, url_of(server));
  }

  // Trusting `authorities_pem` alone.
  base::Task<base::Result<JoinedNode>> ask(const ServerAddress& server, std::string authorities_pem,
                                           std::optional<base::WallTime> offered_time,
                                           bool with_token) {
    http::TlsClientOptions trust;
    const auto time = judging_time(authorities_pem, loop_.clock().now(), offered_time);
    trust.now = [time] { return time; };
    trust.ca_pem = std::move(authorities_pem);
    SKIFF_CO_ASSIGN_OR_RETURN(auto tls, http::make_tls_client_context(trust));
    auto request = request_to(server);
    request.method = "POST";
    request.target = "/skiff/v1/join";
    request.headers.set("Content-Type", "application/json");
    request.body = join_body(config_, papers_, with_token);
    request.tls = std::move(tls);
    auto answer = co_await client_->send(std::move(request));
    if (!answer) co_return answer.status();
    if (answer->status != 200) co_return refusal_of(answer->status, answer->body);
    co_return parse_join_answer(answer->body, papers_.node_name, papers_.key_pem);
  }

  const Config& config_;
  loop::Loop& loop_;
  base::Random& random_;
  const JoinPapers papers_;
  const base::CancelToken cancel_;
  std::unique_ptr<http::AsyncClient> client_;
};

}  // namespace

base::Task<base::Result<JoinedNode>> join_a_master(const Config& config, loop::Loop& loop,
                                                   base::Random& random, JoinPapers papers,
                                                   base::CancelToken cancel) {
  Joiner joiner(config, loop, random, std::move(papers), std::move(cancel));
  auto joining = joiner.run();
  co_return co_await std::move(joining);
}

base::Task<base::Result<JoinedNode>> ask_masters_once(const Config& config, loop::Loop& loop,
                                                      base::Random& random, JoinPapers papers,
                                                      base::CancelToken cancel) {
  Joiner joiner(config, loop, random, std::move(papers), std::move(cancel));
  auto asking = joiner.ask_all();
  co_return co_await std::move(asking);
}

}  // namespace skiff::app
