// skiff certs: what expires when, and another CA for the cluster.
#include <skiff/base/strings.h>
#include <skiff/codec/json.h>
#include <skiff/loop/loop.h>
#include <skiff/pki/certificate.h>

#include "app/commands/command_list.h"
#include "app/credentials/authority_files.h"
#include "app/credentials/key_files.h"
#include "app/credentials/time_floor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>

#include <cstdio>

namespace skiff::app {

using codec::Json;

namespace {

constexpr std::string_view kFiles[] = {"ca.crt",           "ca-old.crt", "ca-retired.crt",
                                       "server.crt",       "admin.crt",  "node.crt",
                                       "node-serving.crt", "node-ca.crt"};

struct Row {
  std::string file, subject, signer, expires, left, fingerprint;
};

std::string left_text(base::Duration left) {
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(left).count();
  if (left.count() <= 0) return "over";
  return hours < 48 ? base::concat(hours, "h") : base::concat(hours / 24, "d");
}

base::Status add_rows(const std::string& folder, std::string_view file, base::WallTime now,
                      std::vector<Row>& rows) {
  constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
  SKIFF_ASSIGN_OR_RETURN(const std::string text, read_or_empty(base::concat(folder, "/", file)));
  // Behind the certificate of a server or client stands only its chain.
  const bool is_bundle = file == "node-ca.crt" || file == "ca-retired.crt";
  std::size_t at = 0;
  while (text.find(kEnd, at) != text.npos) {
    auto info = pki::inspect_certificate(std::string_view(text).substr(at));
    if (!info) return info.status().with_context(file);
    rows.push_back({std::string(file), info->identity.subject.common_name, info->issuer_common_name,
                    base::format_rfc3339(info->not_after), left_text(info->not_after - now),
                    info->fingerprint});
    at = text.find(kEnd, at) + kEnd.size();
    if (!is_bundle) break;
  }
  return base::Status::ok();
}

void print_row(const Row& row) {
  std::printf("%-16s  %-24s  %-18s  %-20s  %-5s  %s\n", row.file.c_str(), row.subject.c_str(),
              row.signer.c_str(), row.expires.c_str(), row.left.c_str(), row.fingerprint.c_str());
}

Json as_json(const Row& row) {
  return Json::object({{"file", row.file},
                       {"subject", row.subject},
                       {"signedBy", row.signer},
                       {"expires", row.expires},
                       {"sha256", row.fingerprint}});
}

base::Result<std::vector<Row>> all_rows(const Invocation& invocation) {
  SKIFF_ASSIGN_OR_RETURN(Config config, config_of(invocation));
  const std::string folder = config.data_dir + "/pki";
  believe_time_floor(config.data_dir);
  const auto now = loop::real_clock().now();
  std::vector<Row> rows;
  for (auto file : kFiles) SKIFF_RETURN_IF_ERROR(add_rows(folder, file, now, rows));
  if (rows.empty())
    return base::not_found(base::concat("there are no certificates in ", folder,
                                        "; nothing has run with this --data-dir"));
  return rows;
}

// The master that runs with this data folder takes over what is new when it gets a SIGHUP. It holds
// a lock on its store, in a file with its process id; without the lock nobody runs.
void wake_running_master(const std::string& data_dir) {
  base::UniqueFd file(open((data_dir + "/state/lock").c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 || flock(file.get(), LOCK_SH | LOCK_NB) == 0) return;
  char text[32] = {};
  if (read(file.get(), text, sizeof text - 1) <= 0) return;
  auto process = base::parse_int(base::trim(text));
  if (process && *process > 1) kill(static_cast<pid_t>(*process), SIGHUP);
}

enum class Step : unsigned char { begin, finish, finish_now };
base::Result<Step> step_of(const Invocation& invocation) {
  const auto& words = invocation.arguments;
  if (words.empty()) return Step::begin;
  if (words.size() == 1 && words[0] == "finish") return Step::finish;
  if (words.size() == 1 && words[0] == "finish-now") return Step::finish_now;
  return base::invalid_argument(base::concat(
      "there is no step ", base::quote(words[0]),
      "; without one another CA begins, finish ends the trust in the old one when nobody can need "
      "it any more, finish-now at once"));
}

base::Result<AuthorityFiles> change(const std::string& folder, Step step, base::WallTime now) {
  if (step == Step::begin) return roll_authority(folder, now);
  SKIFF_ASSIGN_OR_RETURN(AuthorityFiles files, ensure_authority(folder, now));
  if (files.old_pem.empty())
    return base::conflict("the cluster trusts one CA only; there is nothing to finish");
  SKIFF_ASSIGN_OR_RETURN(base::WallTime end, end_of_overlap(files));
  if (step == Step::finish_now) return forget_older_authorities(folder);
  if (now < end)
    return base::conflict(base::concat(
        "nodes and kubeconfigs of the old CA may be in use until ", base::format_rfc3339(end),
        ", when it ends by itself; finish-now ends it now: nodes that have not renewed must join "
        "again then, with a new token, and kubeconfigs be copied again"));
  return end_overlap(folder, now);
}

base::Status rotate(const Invocation& invocation) {
  SKIFF_ASSIGN_OR_RETURN(Config config, config_of(invocation));
  SKIFF_ASSIGN_OR_RETURN(Step step, step_of(invocation));
  const std::string folder = config.data_dir + "/pki";
  SKIFF_ASSIGN_OR_RETURN(const std::string present, read_or_empty(folder + "/ca.crt"));
  if (present.empty())
    return base::not_found(
        base::concat("there is no CA in ", folder, "; run this on a master, with its --data-dir"));
  believe_time_floor(config.data_dir);
  AuthorityFiles files;
  {
    SKIFF_ASSIGN_OR_RETURN(auto lock, lock_authority(folder));
    SKIFF_ASSIGN_OR_RETURN(files, change(folder, step, loop::real_clock().now()));
  }
  wake_running_master(config.data_dir);
  SKIFF_ASSIGN_OR_RETURN(auto signer, pki::inspect_certificate(files.pair.certificate_pem));
  const std::string& name = signer.identity.subject.common_name;
  if (step == Step::finish_now) {
    std::printf(
        "%s is the only CA that is trusted now; connections with certificates of another one "
        "end.\n"
        "Nodes that have not renewed since 'rotate-ca' stay away (kubectl get nodes): give each a "
        "token of 'skiff token create' made from now on, --replace is not needed.\n"
        "Copies of the kubeconfig are to be made anew from admin.kubeconfig of the master's data "
        "folder.\n",
        name.c_str());
    return base::Status::ok();
  }
  if (step == Step::finish) {
    std::printf("%s is the only CA that is trusted now; printed join tokens go on.\n",
                name.c_str());
    return base::Status::ok();
  }
  SKIFF_ASSIGN_OR_RETURN(base::WallTime end, end_of_overlap(files));
  std::printf(
      "%s signs from now on; the CA before it is trusted until %s.\n"
      "Nodes that are connected renew within a minute ('certificates renewed' in their logs), "
      "others "
      "when they come back. Kubeconfigs that were made before work until then, join tokens as long "
      "as they were made for.\n"
      "If the old key may be stolen, go on with 'skiff certs rotate-ca finish-now'.\n",
      name.c_str(), base::format_rfc3339(end).c_str());
  return base::Status::ok();
}

}  // namespace

int run_certs_list(const Invocation& invocation) {
  auto rows = all_rows(invocation);
  if (!rows) return fail(rows.status());
  if (invocation.json) {
    Json list = Json::array();
    for (const auto& row : *rows) list.push_back(as_json(row));
    std::printf("%s\n", codec::write_json_pretty(list).c_str());
    return 0;
  }
  print_row({"FILE", "SUBJECT", "SIGNED BY", "EXPIRES", "LEFT", "SHA256"});
  for (const auto& row : *rows) print_row(row);
  return 0;
}

int run_certs_rotate_ca(const Invocation& invocation) {
  auto rotated = rotate(invocation);
  return rotated ? 0 : fail(rotated);
}

}  // namespace skiff::app
