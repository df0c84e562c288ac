// skiff token: tokens that boards join with. All but `generate` speak to the running master.
#include <skiff/auth/join_proof.h>
#include <skiff/auth/join_token.h>
#include <skiff/base/strings.h>
#include <skiff/codec/base64.h>
#include <skiff/loop/loop.h>
#include <skiff/pki/token.h>
#include <skiff/sys/files.h>

#include "app/bootstrap.h"
#include "app/commands/command_list.h"
#include "app/commands/local_master.h"
#include "app/commands/token_options.h"
#include "app/credentials/time_floor.h"
#include "app/join/prepared_tokens.h"

#include <algorithm>
#include <cstdio>

namespace skiff::app {

using codec::Json;

namespace {

constexpr std::string_view kSecrets = "/api/v1/namespaces/kube-system/secrets";
constexpr std::string_view kEndpoints = "/api/v1/namespaces/default/endpoints/kubernetes";

std::string secret_path(std::string_view id) {
  return base::concat(kSecrets, "/", auth::join_token_secret_name(id));
}

// In the words of tokens, not of the Secrets that they are kept in.
base::Status token_error(const base::Status& error, std::string_view id) {
  if (error.code() != base::Code::not_found) return error;
  return base::not_found(base::concat("there is no token ", base::quote(id),
                                      "; 'skiff token list' has those that there are"));
}

// What the cluster keeps of the token's secret.
void keep_secret(auth::JoinTokenRecord& record, const auth::JoinToken& token) {
  record.secret_sha256 = pki::sha256_hex(token.secret);
  record.proof_key =
      token.ca_key_sha256.empty() ? auth::join_proof_key(token.secret) : std::string();
}

base::Status set_end(auth::JoinTokenRecord& record, const TokenOptions& options,
                     const LocalMaster& master) {
  SKIFF_ASSIGN_OR_RETURN(const auto now, master.now());
  record.issued = now;
  record.expires = options.ttl ? std::optional(now + *options.ttl) : std::nullopt;
  return base::Status::ok();
}

struct NewToken {
  auth::JoinToken token;
  auth::JoinTokenRecord record;
};

base::Result<NewToken> new_token(const std::string& ca_pem, const TokenOptions& options) {
  SKIFF_ASSIGN_OR_RETURN(auto authority, pki::inspect_certificate(ca_pem));
  NewToken made;
  made.token =
      auth::make_join_token(options.names_ca ? authority.public_key_fingerprint : std::string());
  made.record.id = made.token.id;
  keep_secret(made.record, made.token);
  made.record.uses_left = options.uses;
  made.record.node_name = options.node_name;
  made.record.description = options.description;
  return made;
}

// Where the master says it can be reached.
base::Result<std::string> advertised_url(const LocalMaster& master) {
  SKIFF_ASSIGN_OR_RETURN(const Json endpoints, master.call("GET", kEndpoints));
  if (endpoints["subsets"].empty()) return base::unavailable("the master has no address yet");
  const Json& subset = endpoints["subsets"].item(0);
  if (subset["addresses"].empty() || subset["ports"].empty())
    return base::unavailable("the master has no address yet");
  const std::string ip(subset["addresses"].item(0)["ip"].as_string());
  const auto port = subset["ports"].item(0)["port"].as_int();
  return ip.find(':') == ip.npos ? base::concat("https://", ip, ":", port)
                                 : base::concat("https://[", ip, "]:", port);
}

base::Status create(const Invocation& invocation) {
  SKIFF_ASSIGN_OR_RETURN(Config config, config_of(invocation));
  SKIFF_ASSIGN_OR_RETURN(TokenOptions options, token_options(invocation));
  SKIFF_ASSIGN_OR_RETURN(LocalMaster master, LocalMaster::open(config));
  SKIFF_ASSIGN_OR_RETURN(NewToken made, new_token(master.ca_pem(), options));
  SKIFF_RETURN_IF_ERROR(set_end(made.record, options, master));
  const bool prints_command = invocation.options.contains("print-join-command");
  std::string url;
  if (prints_command) {
    SKIFF_ASSIGN_OR_RETURN(url, advertised_url(master));
  }
  SKIFF_RETURN_IF_ERROR(master.call("POST", kSecrets, auth::join_token_secret(made.record)));
  const std::string text = auth::format_join_token(made.token);
  if (prints_command)
    std::printf("skiff run --role worker --server %s --token %s\n", url.c_str(), text.c_str());
  else
    std::printf("%s\n", text.c_str());
  return base::Status::ok();
}

base::Status generate(const Invocation& invocation) {
  SKIFF_ASSIGN_OR_RETURN(Config config, config_of(invocation));
  SKIFF_ASSIGN_OR_RETURN(TokenOptions options, token_options(invocation));
  believe_time_floor(config.data_dir);
  SKIFF_ASSIGN_OR_RETURN(auto authority,
                         ensure_cluster_authority(config, loop::real_clock().now()));
  SKIFF_ASSIGN_OR_RETURN(NewToken made, new_token(authority.certificate_pem, options));
  SKIFF_RETURN_IF_ERROR(write_prepared_token(config, made.record, options.ttl));
  std::printf("%s\n", auth::format_join_token(made.token).c_str());
  return base::Status::ok();
}

base::Result<std::vector<auth::JoinTokenRecord>> read_tokens(const LocalMaster& master) {
  SKIFF_ASSIGN_OR_RETURN(const Json list, master.call("GET", kSecrets));
  std::vector<auth::JoinTokenRecord> records;
  for (const Json& secret : list["items"].items()) {
    auto record = auth::read_join_token_secret(secret);
    if (record) records.push_back(std::move(*record));
  }
  return records;
}

std::string expires_text(const auth::JoinTokenRecord& record, base::WallTime now) {
  if (!record.expires) return "never";
  return now >= *record.expires ? "expired" : base::format_rfc3339(*record.expires);
}

Json token_json(const auth::JoinTokenRecord& record) {
  Json out = Json::object({{"id", record.id}, {"description", record.description}});
  if (record.expires) out.set("expires", base::format_rfc3339(*record.expires));
  if (record.uses_left) out.set("usesLeft", static_cast<long long>(*record.uses_left));
  if (!record.node_name.empty()) out.set("nodeName", record.node_name);
  return out;
}

void print_row(const std::string& id, const std::string& expires, const std::string& uses,
               const std::string& node, const std::string& description) {
  std::printf("%-12s  %-20s  %-9s  %-24s  %s\n", id.c_str(), expires.c_str(), uses.c_str(),
              node.c_str(), description.c_str());
}

base::Status list(const Invocation& invocation) {
  SKIFF_ASSIGN_OR_RETURN(Config config, config_of(invocation));
  SKIFF_ASSIGN_OR_RETURN(LocalMaster master, LocalMaster::open(config));
  SKIFF_ASSIGN_OR_RETURN(auto records, read_tokens(master));
  if (invocation.json) {
    Json out = Json::array();
    for (const auto& record : records) out.push_back(token_json(record));
    std::printf("%s\n", codec::write_json_pretty(out).c_str());
    return base::Status::ok();
  }
  SKIFF_ASSIGN_OR_RETURN(const auto now, master.now());
  print_row("ID", "EXPIRES", "USES LEFT", "NODE", "DESCRIPTION");
  for (const auto& record : records)
    print_row(record.id, expires_text(record, now),
              record.uses_left ? std::to_string(*record.uses_left) : "any",
              record.node_name.empty() ? "any" : record.node_name, record.description);
  return base::Status::ok();
}

base::Status rotate(const Invocation& invocation) {
  SKIFF_ASSIGN_OR_RETURN(Config config, config_of(invocation));
  SKIFF_ASSIGN_OR_RETURN(TokenOptions options, token_options(invocation));
  if (invocation.arguments.size() != 1) return base::invalid_argument("give the id of one token");
  SKIFF_ASSIGN_OR_RETURN(auto id, auth::join_token_id(invocation.arguments.front()));
  SKIFF_ASSIGN_OR_RETURN(LocalMaster master, LocalMaster::open(config));
  auto found = master.call("GET", secret_path(id));
  if (!found) return token_error(found.status(), id);
  Json secret = std::move(*found);
  SKIFF_ASSIGN_OR_RETURN(auto record, auth::read_join_token_secret(secret));
  SKIFF_ASSIGN_OR_RETURN(auto authority, pki::inspect_certificate(master.ca_pem()));
  const bool names_ca = record.proof_key.empty();
  const auth::JoinToken token{names_ca ? authority.public_key_fingerprint : std::string(), id,
                              auth::make_join_secret()};
  keep_secret(record, token);
  record.last_uses.clear();
  if (invocation.options.contains("ttl")) SKIFF_RETURN_IF_ERROR(set_end(record, options, master));
  if (options.uses) record.uses_left = options.uses;
  SKIFF_RETURN_IF_ERROR(
      master.call("PUT", secret_path(id), auth::join_token_secret(record, std::move(secret))));
  std::printf("%s\n", auth::format_join_token(token).c_str());
  return base::Status::ok();
}

base::Status remove(const Invocation& invocation) {
  SKIFF_ASSIGN_OR_RETURN(Config config, config_of(invocation));
  SKIFF_ASSIGN_OR_RETURN(LocalMaster master, LocalMaster::open(config));
  for (const auto& argument : invocation.arguments) {
    auto id = auth::join_token_id(argument);
    if (!id) return id.status();
    auto gone = master.call("DELETE", secret_path(*id));
    if (!gone) return token_error(gone.status(), *id);
    std::printf("deleted %s\n", id->c_str());
  }
  return base::Status::ok();
}

int finish(const base::Status& status) { return status ? 0 : fail(status); }

}  // namespace

int run_token_create(const Invocation& invocation) { return finish(create(invocation)); }
int run_token_generate(const Invocation& invocation) { return finish(generate(invocation)); }
int run_token_list(const Invocation& invocation) { return finish(list(invocation)); }
int run_token_rotate(const Invocation& invocation) { return finish(rotate(invocation)); }
int run_token_delete(const Invocation& invocation) { return finish(remove(invocation)); }

}  // namespace skiff::app
