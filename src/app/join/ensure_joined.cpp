// Who this board is, what it has from before, and whether it has to ask anybody.
#include <skiff/auth/join_token.h>
#include <skiff/base/clock.h>
#include <skiff/base/log.h>
#include <skiff/base/strings.h>
#include <skiff/pki/certificate.h>

#include "app/join.h"
#include "app/join/host_identity.h"
#include "app/join/join_answer.h"
#include "app/join/joined_files.h"
#include "app/join/joiner.h"

#include <algorithm>

namespace skiff::app {

namespace {

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

base::Result<JoinPapers> papers_of(const JoinedNode& node) {
  JoinPapers papers;
  papers.node_name = node.name;
  papers.key_pem = node.key_pem;
  SKIFF_ASSIGN_OR_RETURN(papers.signing_request_pem, make_node_request(node.name, node.key_pem));
  return papers;
}

}  // namespace

bool names_another_authority(const Config& config, const std::string& known_ca_pem) {
  if (config.token.empty()) return false;
  const auto token = auth::parse_join_token(config.token);
  if (!token || token->ca_key_sha256.empty()) return false;
  const auto known = key_fingerprints(known_ca_pem);
  return std::find(known.begin(), known.end(), token->ca_key_sha256) == known.end();
}

base::Task<base::Result<JoinedNode>> join_by_new_token(const Config& config, loop::Loop& loop,
                                                       base::Random& random, const JoinedNode& node,
                                                       base::CancelToken cancel) {
  SKIFF_CO_ASSIGN_OR_RETURN(auto papers, papers_of(node));
  SKIFF_CO_ASSIGN_OR_RETURN(papers.token, auth::parse_join_token(config.token));
  auto asking = ask_masters_once(config, loop, random, std::move(papers), std::move(cancel));
  co_return co_await std::move(asking);
}

base::Task<base::Result<JoinedNode>> join_again(const Config& config, loop::Loop& loop,
                                                base::Random& random, const JoinedNode& node,
                                                base::CancelToken cancel) {
  SKIFF_CO_ASSIGN_OR_RETURN(auto papers, papers_of(node));
  papers.known_ca_pem = node.ca_pem;
  auto asking = ask_masters_once(config, loop, random, std::move(papers), std::move(cancel));
  co_return co_await std::move(asking);
}

base::Task<base::Result<JoinedNode>> ensure_joined(const Config& config, loop::Loop& loop,
                                                   base::Random& random, base::CancelToken cancel) {
  const HostIdentity host = read_host_identity();
  const std::string board = board_fingerprint(host);
  SKIFF_CO_ASSIGN_OR_RETURN(auto files, read_joined_files(config.data_dir));
  SKIFF_CO_RETURN_IF_ERROR(forget_copied_key(config.data_dir, board, files));

  JoinPapers papers;
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
  auto joining = join_a_master(config, loop, random, std::move(papers), std::move(cancel));
  auto joined = co_await std::move(joining);
  if (!joined) co_return joined;
  SKIFF_CO_RETURN_IF_ERROR(write_joined_files(config.data_dir, *joined, board));
  base::log_info("joined the cluster", {{"node", joined->name}});
  co_return joined;
}

}  // namespace skiff::app
