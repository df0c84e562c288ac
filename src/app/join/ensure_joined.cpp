// Joining from the worker's side. Nothing that a stranger could use is said before the authority of
// the one who listens is the one that the token, or the cluster of before, names.
#include <skiff/auth/join_token.h>
#include <skiff/base/clock.h>
#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/client/uplink.h>
#include <skiff/codec/json.h>
#include <skiff/http/client.h>
#include <skiff/pki/certificate.h>

#include "app/join.h"
#include "app/join/host_identity.h"
#include "app/join/join_answer.h"
#include "app/join/joined_files.h"
#include "app/limits.h"

#include <algorithm>

namespace skiff::app {

using codec::Json;

namespace {

// What this board has to join with.
struct Papers {
  std::string node_name, key_pem, signing_request_pem;
  std::optional<auth::JoinToken> token;
  std::string known_ca_pem;  // of the cluster that it has joined before; empty: of none
};

std::string url_of(const ServerAddress& server) {
  const bool is_ipv6 = server.host.find(':') != server.host.npos;
  return is_ipv6 ? base::concat("https://[", server.host, "]:", server.port)
                 : base::concat("https://", server.host, ":", server.port);
}

std::string join_body(const Config& config, const Papers& papers, bool with_token) {
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

// One attempt after the other at the masters. Loop-only.
class Joiner {
 public:
  Joiner(const Config& config, loop::Loop& loop, base::Random& random, Papers papers,
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
      const auto jittered = base::Duration(static_cast<std::int64_t>(
          static_cast<double>(pause.count()) * (0.5 + 0.5 * random_.unit())));
      bool slept = co_await base::sleep(loop_, jittered, cancel_);
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
  const Papers papers_;
  const base::CancelToken cancel_;
  std::unique_ptr<http::AsyncClient> client_;
};

bool has_expired(const JoinedNode& joined, base::WallTime now) {
  auto info = pki::inspect_certificate(joined.certificate_pem);
  return !info || now >= info->not_after;
}

// The key stays where it was made: storage that was copied to another board begins anew there.
base::Status forget_copied_key(const std::string& data_dir, const std::string& board,
                               JoinedFiles& files) {
  const bool was_copied =
      !files.board_fingerprint.empty() && !board.empty() && files.board_fingerprint != board;
  if (!was_copied) return base::Status::ok();
  base::log_warning(
      "this storage has joined on another board: the node's key is made anew and a token is needed",
      {{"node", files.node_name}});
  files = {};
  return remove_joined_files(data_dir);
}

}  // namespace

base::Task<base::Result<JoinedNode>> join_again(const Config& config, loop::Loop& loop,
                                                base::Random& random, const JoinedNode& node,
                                                base::CancelToken cancel) {
  Papers papers;
  papers.node_name = node.name;
  papers.key_pem = node.key_pem;
  papers.known_ca_pem = node.ca_pem;
  SKIFF_CO_ASSIGN_OR_RETURN(papers.signing_request_pem, make_node_request(node.name, node.key_pem));
  Joiner joiner(config, loop, random, std::move(papers), std::move(cancel));
  auto asking = joiner.ask_all();
  co_return co_await std::move(asking);
}

base::Task<base::Result<JoinedNode>> ensure_joined(const Config& config, loop::Loop& loop,
                                                   base::Random& random, base::CancelToken cancel) {
  const HostIdentity host = read_host_identity();
  const std::string board = board_fingerprint(host);
  SKIFF_CO_ASSIGN_OR_RETURN(auto files, read_joined_files(config.data_dir));
  SKIFF_CO_RETURN_IF_ERROR(forget_copied_key(config.data_dir, board, files));

  Papers papers;
  papers.node_name = config.node_name;
  if (papers.node_name.empty()) papers.node_name = files.node_name;
  if (papers.node_name.empty()) {
    SKIFF_CO_ASSIGN_OR_RETURN(papers.node_name, plan_node_name(host));
  }
  const bool has_joined = !files.ca_pem.empty() && files.node_name == papers.node_name;
  if (has_joined && files.joined && !has_expired(*files.joined, loop.clock().now()))
    co_return *files.joined;

  if (!config.token.empty()) {
    SKIFF_CO_ASSIGN_OR_RETURN(papers.token, auth::parse_join_token(config.token));
  }
  if (!has_joined && !papers.token) {
    co_return base::invalid_argument(
        "this board is no node of a cluster yet: give it a token of 'skiff token create' with "
        "--token");
  }
  if (has_joined) papers.known_ca_pem = files.ca_pem;
  papers.key_pem = files.key_pem;
  if (papers.key_pem.empty()) {
    SKIFF_CO_ASSIGN_OR_RETURN(papers.key_pem, make_node_key(config.data_dir));
  }
  SKIFF_CO_ASSIGN_OR_RETURN(papers.signing_request_pem,
                            make_node_request(papers.node_name, papers.key_pem));
  Joiner joiner(config, loop, random, std::move(papers), std::move(cancel));
  auto joined = co_await joiner.run();
  if (!joined) co_return joined;
  SKIFF_CO_RETURN_IF_ERROR(write_joined_files(config.data_dir, *joined, board));
  base::log_info("joined the cluster", {{"node", joined->name}});
  co_return joined;
}

}  // namespace skiff::app
